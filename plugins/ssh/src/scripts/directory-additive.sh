# Puts the tree's files into the folder, each of them atomically. Files of other origin stay; those of ours which the
# tree no longer has go.
place=$1 tree=$place/$2 path=$3
[ -d "$tree" ] || fail "the uploaded tree is gone; deploy again"
if [ -e "$path" ] && [ ! -d "$path" ]; then
    fail "$path is in the way: it is not a folder"
fi
mkdir -p -- "$path"
: >"$place/changes"
cd "$tree"
find . -type d ! -name . -exec sh -eu -c '
    path=$1 changes=$2
    shift 2
    for folder do
        [ ! -d "$path/$folder" ] || continue
        mkdir -- "$path/$folder"
        chmod -- "$(ls -ld "$folder" | awk "{
            for (i = 2; i <= 10; i += 3) {
                part = substr(\$1, i, 3)
                printf \"%s%s=\", (i > 2 ? \",\" : \"\"), substr(\"ugo\", (i + 1) / 3, 1)
                gsub(/[st]/, \"x\", part)
                gsub(/[^rwx]/, \"\", part)
                printf \"%s\", part
            }
        }")" "$path/$folder"
        chown -- "$(ls -ldn "$folder" | awk "{ print \$3 \":\" \$4 }")" "$path/$folder" 2>/dev/null || :
        echo "$folder" >>"$changes"
    done' sh "$path" "$place/changes" {} +
find . ! -type d -exec sh -eu -c '
    path=$1 changes=$2
    shift 2
    traits() { ls -ldn "$1" | awk "{ print substr(\$1, 1, 10), \$3, \$4 }"; }
    for file do
        goal=$path/${file#./}
        if [ -d "$goal" ] && [ ! -L "$goal" ]; then
            printf "%s\n" "$goal is in the way: it is a folder" >&2
            exit 90
        fi
        if [ -L "$file" ]; then
            if [ -L "$goal" ] && [ "$(readlink "$file")" = "$(readlink "$goal")" ]; then continue; fi
        elif [ -f "$goal" ] && [ ! -L "$goal" ] && cmp -s "$file" "$goal" && [ "$(traits "$file")" = "$(traits "$goal")" ]
        then
            continue
        fi
        rm -f -- "$goal.launchway-new"
        cp -pP -- "$file" "$goal.launchway-new"
        # Over a link that points to a folder, a plain mv would move into it.
        if [ -L "$goal" ]; then rm -f -- "$goal"; fi
        mv -f -- "$goal.launchway-new" "$goal"
        echo "$file" >>"$changes"
    done' sh "$path" "$place/changes" {} + || exit 90
if [ -f "$place/files" ]; then
    xargs -0 sh -eu -c '
        path=$1 changes=$2
        shift 2
        for file do
            if [ -e "$file" ] || [ -L "$file" ]; then continue; fi
            if [ ! -e "$path/$file" ] && [ ! -L "$path/$file" ]; then continue; fi
            rm -f -- "$path/$file"
            echo "$file" >>"$changes"
        done' sh "$path" "$place/changes" <"$place/files"
fi
find . ! -type d -print0 >"$place/files.new"
mv -f -- "$place/files.new" "$place/files"
answer=unchanged
if [ -s "$place/changes" ]; then answer=changed; fi
cd /
rm -rf -- "$tree" "$place/changes"
(cd "$path" && looks <"$place/files") >"$place/new"
keep_looks
echo "$answer"

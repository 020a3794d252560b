# Puts the tree where the folder is, unless they are equal. For the moment between two renames there is no folder;
# after a crash in that moment the next run puts the tree in place.
place=$1 tree=$place/$2 path=$3

# Type and mode, owner and group, a file's size, and the name: one line each.
listing() {
    (cd "$1" && find . -exec ls -ldn {} + | awk '{
        line = substr($1, 1, 10) " " $3 " " $4 " " (substr($1, 1, 1) == "-" ? $5 : "-")
        for (i = 0; i < 8; i++) sub(/^[^ ]+ +/, "")
        print line " " $0
    }' | sort)
}
equal() {
    listing "$tree" >"$place/wanted"
    listing "$path" >"$place/found"
    cmp -s "$place/wanted" "$place/found" || return 1
    (cd "$tree" && find . -type f -exec sh -c '
        other=$1
        shift
        for file do cmp -s "$file" "$other/$file" || exit 1; done' sh "$path" {} +)
}

[ -d "$tree" ] || fail "the uploaded tree is gone; deploy again"
answer=changed
if [ -L "$path" ] || { [ -e "$path" ] && [ ! -d "$path" ]; }; then
    fail "$path is in the way: it is not a folder"
elif [ ! -d "$path" ]; then
    mv -- "$tree" "$path"
elif equal; then
    answer=unchanged
else
    rm -rf -- "$place/old"
    mv -- "$path" "$place/old"
    mv -- "$tree" "$path" || { mv -- "$place/old" "$path"; exit 1; }
fi
rm -rf -- "$tree" "$place/old" "$place/wanted" "$place/found"
keep_looks ""
echo "$answer"

# Removes the folder, or of an additive one the files that are ours and the folders that this leaves empty.
place=$1 path=$2 exact=$3
answer=unchanged
if [ "$exact" = 1 ]; then
    if [ -L "$path" ] || { [ -e "$path" ] && [ ! -d "$path" ]; }; then
        fail "$path is not a folder"
    fi
    if [ -d "$path" ]; then
        rm -rf -- "$path"
        answer=changed
    fi
elif [ -f "$place/files" ] && [ -d "$path" ]; then
    cd "$path"
    xargs -0 sh -eu -c '
        for file do
            rm -f -- "$file"
            folder=${file%/*}
            while [ "$folder" != . ]; do
                rmdir -- "$folder" 2>/dev/null || break
                folder=${folder%/*}
            done
        done' sh <"$place/files"
    cd /
    rmdir -- "$path" 2>/dev/null || :
    answer=changed
fi
rm -rf -- "$place"
echo "$answer"

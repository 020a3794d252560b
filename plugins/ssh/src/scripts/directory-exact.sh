# Puts the tree where the folder is, unless they are equal. For the moment between two renames there is no folder;
# after a crash in that moment the next run puts the tree in place.
place=$1 tree=$place/$2 path=$3
[ -d "$tree" ] || fail "the uploaded tree is gone; deploy again"
all() { (cd "$1" && find . -print0 | looks); }
all "$tree" >"$place/new"
answer=changed
if [ -L "$path" ] || { [ -e "$path" ] && [ ! -d "$path" ]; }; then
    fail "$path is in the way: it is not a folder"
elif [ ! -d "$path" ]; then
    mv -- "$tree" "$path"
elif all "$path" | cmp -s "$place/new" -; then
    answer=unchanged
else
    rm -rf -- "$place/old"
    mv -- "$path" "$place/old"
    mv -- "$tree" "$path" || { mv -- "$place/old" "$path"; exit 1; }
fi
keep_looks
rm -rf -- "$tree" "$place/old"
echo "$answer"

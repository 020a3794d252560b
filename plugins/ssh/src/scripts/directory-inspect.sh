# See `inspect`.
place=$1 tree=$2 path=$3 exact=$4
if [ ! -f "$place/looks" ] || [ ! -f "$place/tree" ]; then
    echo unknown
    exit 0
fi
if [ "$(cat "$place/tree")" = "$tree" ]; then echo; else echo other; fi
cd "$path"
if [ "$exact" = 1 ]; then
    find . -print0 | looks
elif [ -f "$place/files" ]; then
    looks <"$place/files"
fi | comm -3 "$place/looks" - | sed -e 's/^	*//' -e 's/^[^ ]* //' -e 's,^\./,,' -e 's/ -> .*//' | sort -u | head -n 100

# Says whether a release has to be unpacked; makes room for it if so.
root=$1 release=$2 owner=$3
final=$root/releases/$release
if [ -d "$final" ]; then
    [ -z "$owner" ] || chown -hR -- "$owner" "$final"
    echo unchanged
    exit 0
fi
mkdir -p -- "$root/releases"
[ -z "$owner" ] || chown -h -- "$owner" "$root" "$root/releases"
rm -rf -- "$root/releases/.$release.tmp" "$root/releases/.$release.out"
echo changed

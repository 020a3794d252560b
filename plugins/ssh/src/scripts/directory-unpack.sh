# Unpacks the uploaded tree; its name says that it is complete.
place=$1 tree=$2 owner=$3
trap 'rm -rf -- "$place/unpacked" "$place/upload"' EXIT
command -v tar >/dev/null 2>&1 || fail "tar is not installed on this target"
rm -rf -- "$place/unpacked"
mkdir -- "$place/unpacked"
tar -xof "$place/upload" -C "$place/unpacked"
[ -z "$owner" ] || chown -hR -- "$owner" "$place/unpacked"
mv -- "$place/unpacked" "$place/$tree"

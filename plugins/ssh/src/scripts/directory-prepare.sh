# Says whether the tree has to be uploaded; makes room for it if so.
place=$1 tree=$2
if [ -d "$place/$tree" ]; then
    echo unchanged
    exit 0
fi
mkdir -p -- "$place"
rm -rf -- "$place"/tree-* "$place/unpacked"
echo changed

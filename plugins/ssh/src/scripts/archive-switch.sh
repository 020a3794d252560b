# Points `current` at a release, atomically.
root=$1 release=$2 owner=$3
link=$root/current goal=releases/$release
[ -d "$root/$goal" ] || fail "$root/$goal is gone; deploy again to unpack it"
if [ -L "$link" ] && [ "$(readlink "$link")" = "$goal" ]; then
    echo unchanged
    exit 0
fi
if [ -e "$link" ] && [ ! -L "$link" ]; then
    fail "$link is in the way: it is not a symbolic link"
fi
rm -f -- "$root/.current.new"
ln -s -- "$goal" "$root/.current.new"
[ -z "$owner" ] || chown -h -- "$owner" "$root/.current.new"
# GNU and BusyBox say -T, the BSDs -h; both rename over the link instead of moving into what it points to.
mv -f -T -- "$root/.current.new" "$link" 2>/dev/null || mv -f -h -- "$root/.current.new" "$link"
touch -- "$root/$goal"
echo changed

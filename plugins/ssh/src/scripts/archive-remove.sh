# Removes what the releases took; anything else in the folder stays, and so does the folder then.
root=$1
if [ ! -e "$root/releases" ] && [ ! -L "$root/current" ]; then
    echo unchanged
    exit 0
fi
if [ -L "$root/current" ]; then rm -f -- "$root/current"; fi
rm -rf -- "$root/.current.new" "$root/releases"
rmdir -- "$root" 2>/dev/null || :
echo changed

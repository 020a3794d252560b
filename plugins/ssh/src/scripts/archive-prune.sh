# Keeps the newest releases, the current one among them whatever its age.
root=$1 keep=$2
cd "$root/releases"
rm -rf -- ./.*.tmp ./.*.upload ./.*.out ./.*.names ./.*.tmp.tar
current=$(readlink "$root/current" || :)
current=${current#releases/}
others=0
ls -1t | while IFS= read -r name; do
    if [ ! -d "$name" ] || [ "$name" = "$current" ]; then continue; fi
    others=$((others + 1))
    if [ "$others" -lt "$keep" ]; then continue; fi
    rm -rf -- "./$name"
    printf 'removed %s\n' "$name"
done

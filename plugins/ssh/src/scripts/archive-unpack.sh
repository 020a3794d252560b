# Unpacks an uploaded release beside its place, and moves it there in one go: what is there is complete.
root=$1 release=$2 format=$3 strip=$4 owner=$5
releases=$root/releases
upload=$releases/.$release.upload
work=$releases/.$release.tmp
names=$releases/.$release.names
trap 'rm -rf -- "$work" "$work.tar" "$releases/.$release.out" "$names" "$upload"' EXIT

need() { command -v "$1" >/dev/null 2>&1 || fail "$1 is not installed on this target, and the archive needs it"; }
refuse() {
    if grep -Eq "$1" "$names"; then
        fail "the archive has names that lead out of its folder, such as $(grep -E "$1" "$names" | head -n 1)"
    fi
}

rm -rf -- "$work"
mkdir -- "$work"
case $format in
tar.zst)
    need zstd
    zstd -q -d -f -o "$work.tar" -- "$upload"
    mv -f -- "$work.tar" "$upload"
    format=tar
    ;;
esac
case $format in
tar) flags= ;;
tar.gz) flags=z; need gzip ;;
tar.bz2) flags=j; need bzip2 ;;
tar.xz) flags=J; need xz ;;
esac
case $format in
tar*)
    need tar
    tar "-t${flags}f" "$upload" >"$names"
    refuse '^/|(^|/)\.\.(/|$)'
    # -o: the files belong to who unpacks them, not to numbers from elsewhere.
    tar "-x${flags}of" "$upload" -C "$work"
    ;;
zip)
    if command -v unzip >/dev/null 2>&1; then
        # -Z1 lists bare names; not every unzip has it.
        if unzip -Z1 "$upload" >"$names" 2>/dev/null; then
            refuse '^/|(^|/)\.\.(/|$)'
        else
            unzip -l "$upload" >"$names"
            refuse '[0-9] +/|[ /]\.\.(/|$)'
        fi
        status=0
        unzip -q -o "$upload" -d "$work" </dev/null || status=$?
        # 1: with warnings.
        [ "$status" -le 1 ] || fail "unzip exited with $status"
    elif command -v bsdtar >/dev/null 2>&1; then
        bsdtar -tf "$upload" >"$names"
        refuse '^/|(^|/)\.\.(/|$)'
        bsdtar -xof "$upload" -C "$work"
    else
        fail "neither unzip nor bsdtar is installed on this target, and the archive needs one of them"
    fi
    ;;
esac

odd=$(find "$work" ! -type f ! -type d ! -type l -print | head -n 1)
[ -z "$odd" ] || fail "the archive holds a device or a pipe: ${odd#"$work"/}"

if [ "$strip" -gt 0 ]; then
    out=$releases/.$release.out
    depth=$((strip + 1))
    rm -rf -- "$out"
    mkdir -- "$out"
    find "$work" -mindepth "$depth" -maxdepth "$depth" -exec sh -eu -c '
        out=$1
        shift
        for entry do
            [ ! -e "$out/${entry##*/}" ] || { printf "%s\n" "two folders of the archive hold ${entry##*/}" >&2; exit 1; }
            mv -- "$entry" "$out/"
        done' sh "$out" {} + || fail "can't strip $strip folders from the archive's names"
    rm -rf -- "$work"
    mv -- "$out" "$work"
fi
[ -n "$(ls -A "$work")" ] || fail "there is nothing in the archive"
[ -z "$owner" ] || chown -hR -- "$owner" "$work"
# When it came here, for the pruning; not when it was packed.
touch -- "$work"
mv -- "$work" "$releases/$release"

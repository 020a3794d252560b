# See `with_looks`.
looks() {
    xargs -0 sh -eu -c '
        [ "$#" -gt 0 ] || exit 0
        ls -ldn -- "$@" 2>/dev/null | awk "{
            line = substr(\$1, 1, 10) \":\" \$3 \":\" \$4 \":\" (substr(\$1, 1, 1) == \"-\" ? \$5 : \"-\")
            for (i = 0; i < 8; i++) sub(/^[^ ]+ +/, \"\")
            print line \" \" \$0
        }"
        for file do
            shift
            if [ -f "$file" ] && [ ! -L "$file" ]; then set -- "$@" "$file"; fi
        done
        [ "$#" -gt 0 ] || exit 0
        if command -v sha256sum >/dev/null 2>&1; then sha256sum -- "$@"
        else cksum -- "$@" | awk "{ sum = \$1; sub(/^[^ ]+ +[^ ]+ +/, \"\"); print sum \" \" \$0 }"; fi |
            awk "{ sum = \$1; sub(/^[^ ]+ +/, \"\"); print sum \" \" \$0 }"' sh | sort
}
keep_looks() {
    printf '%s\n' "${tree##*/}" >"$place/tree"
    mv -f -- "$place/new" "$place/looks"
}

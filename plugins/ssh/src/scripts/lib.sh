# 90: the last line is for people.
umask 022
LC_ALL=C
export LC_ALL
fail() { printf '%s\n' "$1" >&2; exit 90; }

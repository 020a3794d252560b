# Put before the other scripts. Exit status 90 says: the last line on standard error is for people.
umask 022
LC_ALL=C
export LC_ALL
fail() { printf '%s\n' "$1" >&2; exit 90; }

# Gives HAProxy's runtime socket $1 the line $2 and prints the answer: of its tables, only what concerns the backend $3.
# 91 to 95 say what is in the way.
LC_ALL=C
export LC_ALL
socket=$1 line=$2 backend=$3
[ -e "$socket" ] || exit 91
[ -S "$socket" ] || exit 92
[ -w "$socket" ] || exit 93

has() { command -v "$1" >/dev/null 2>&1; }
if has socat; then
  # Without -t it would wait no longer than half a second for the answer.
  ask() { printf '%s\n' "$line" | socat -t 30 - "UNIX-CONNECT:$socket"; }
elif has nc && nc -h 2>&1 | grep -q -e '-U[ ,	]'; then
  # HAProxy ends the connection after its answer, so that -N and -q, which not every nc has, are not needed.
  ask() { printf '%s\n' "$line" | nc -U "$socket"; }
elif has python3; then
  ask() {
    python3 -c '
import socket, sys
connection = socket.socket(socket.AF_UNIX)
try:
    connection.connect(sys.argv[1])
    connection.sendall(sys.argv[2].encode() + b"\n")
    for part in iter(lambda: connection.recv(65536), b""):
        sys.stdout.buffer.write(part)
except OSError as error:
    sys.exit(str(error))
' "$socket" "$line"
  }
elif has perl && perl -MIO::Socket::UNIX -e 1 2>/dev/null; then
  ask() {
    perl -MIO::Socket::UNIX -e '
my $connection = IO::Socket::UNIX->new(Peer => $ARGV[0]) or die "$!\n";
$connection->print("$ARGV[1]\n");
$connection->flush;
print while <$connection>;
' "$socket" "$line"
  }
else
  exit 94
fi
answer=$(ask) || exit 95

# The host keeps the end of a long answer, and a big proxy gives a long one. Where there is no awk, all of it has to do.
# Columns with commas in them come after those that are kept.
has awk || awk() { cat; }
printf '%s\n' "$answer" | awk -v backend="$backend" '
  function kept_of(text,    index_, line) {
    split(text, field, separator)
    line = field[keep[1]]
    for (index_ = 2; index_ <= kept; index_++) line = line separator field[keep[index_]]
    return line
  }
  BEGIN {
    split("pxname svname qcur scur status type check_status be_name srv_name srv_admin_state", list, " ")
    for (key in list) wanted[list[key]] = 1
  }
  /^# / {
    separator = index($0, ",") ? "," : " "
    count = split(substr($0, 3), name, separator)
    kept = 0
    for (key = 1; key <= count; key++) if (name[key] in wanted) keep[++kept] = key
    if (kept) { inside = 1; print "# " kept_of(substr($0, 3)); next }
  }
  $0 == "" { inside = 0 }
  !inside { print; next }
  { line = kept_of($0); if (field[keep[1]] == backend) print line }
'

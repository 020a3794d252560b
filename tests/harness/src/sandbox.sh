# Run inside the sandbox's namespaces, in its folder: makes the network and the hosts.
# usage: sandbox.sh network NET | boot NET N | crash NET N | cut NET N | heal NET N | on NET N COMMAND
verb=$1 net=$2 n=${3:-} here=$PWD

network() {
    # Hosts' disks lie in memory: an overlay needs a file system below it that is none itself.
    mount -t tmpfs tmpfs "$here/hosts"
    ip link set lo up
    ip link add br0 type bridge
    ip addr add "$net.254/24" dev br0
    ip link set br0 up
}

boot() {
    disk=$here/hosts/$n
    mkdir -p "$disk/upper" "$disk/work" "$disk/root"
    [ -f "$disk.key" ] || ssh-keygen -q -t ed25519 -N '' -C "host$n" -f "$disk.key"
    export net n here disk
    unshare --net --uts --ipc --mount --pid --fork --kill-child --propagation private \
        /bin/sh -eu "$here/sandbox.sh" host "$net" "$n" >"$disk.log" 2>&1 </dev/null &
    echo $! >"$disk.pid"
    # The host's namespace is there when its first process says so.
    waited=0
    while [ ! -e "$disk/ready" ]; do
        sleep 0.01
        waited=$((waited + 1))
        [ $waited -lt 1000 ] || { cat "$disk.log" >&2; exit 1; }
    done
    # The same hardware address after every boot, or others would send to the old one for up to a minute.
    ip link add "v$n" type veth peer name "e$n" address "$(printf '02:00:00:00:00:%02x' "$n")"
    ip link set "e$n" netns "$(cat "$disk.pid")"
    ip link set "v$n" master br0 up
    rm "$disk/ready"
    answers
    # Read by the program outside, which does not see the file system in memory.
    cat "$disk.key.pub"
}

# Waits until the host's server can be talked to: the network needs a moment after a change.
answers() {
    waited=0
    until ssh-keyscan -T 1 -t ed25519 "$net.$n" 2>/dev/null | grep -q ed25519; do
        waited=$((waited + 1))
        [ $waited -lt 100 ] || { cat "$here/hosts/$n.log" >&2; exit 1; }
        sleep 0.02
    done
}

# The host's own first process, in all its namespaces.
host() {
    disk=$here/hosts/$n root=$here/hosts/$n/root
    mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" "$root"
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/run"
    mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
    # An empty home: no start-up files of this machine's.
    mount -t tmpfs -o mode=0700 tmpfs "$root/root"
    mkdir -p "$root/run/sshd" "$root/etc/ssh/sandbox"
    hostname "host$n"
    cp "$disk.key" "$root/etc/ssh/sandbox/key"
    cp "$here/id.pub" "$root/etc/ssh/sandbox/authorized_keys"
    cat >"$root/etc/ssh/sandbox/sshd_config" <<'CONFIG'
ListenAddress 0.0.0.0:22
HostKey /etc/ssh/sandbox/key
AuthorizedKeysFile /etc/ssh/sandbox/authorized_keys
PidFile none
UsePAM no
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
Subsystem sftp internal-sftp
CONFIG
    ip link set lo up
    : >"$disk/ready"
    while ! ip link show "e$n" >/dev/null 2>&1; do sleep 0.01; done
    ip addr add "$net.$n/24" dev "e$n"
    ip link set "e$n" up
    exec chroot "$root" /usr/sbin/sshd -D -e -f /etc/ssh/sandbox/sshd_config
}

# `unshare --fork` ignores SIGTERM; with it go the host's namespaces and all that runs in them.
crash() {
    kill -9 "$(cat "$here/hosts/$n.pid")"
    ip link del "v$n" 2>/dev/null || true
}

on() {
    host=$(cat "$here/hosts/$n.pid")
    nsenter --target "$host" --net --mount --uts --ipc --pid="/proc/$host/ns/pid_for_children" -- \
        chroot "$here/hosts/$n/root" /bin/sh -eu -c "$4"
}

case $verb in
    network) network ;;
    boot) boot ;;
    host) host ;;
    crash) crash ;;
    cut) ip link set "v$n" down ;;
    heal)
        ip link set "v$n" up
        answers
        ;;
    on) on "$@" ;;
esac

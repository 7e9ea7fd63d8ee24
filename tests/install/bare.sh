#!/usr/bin/env bash
# Does what a newcomer does on a bare Debian 12: makes one with debootstrap, clones this tree's last commit into it, and
# runs tools/run there until the page answers. Needs root, debootstrap and the network of the package mirror. With CCACHE_DIR
# set, the builds in there use that compiler cache.
#   tests/install/bare.sh                 about 10 minutes
#   tests/install/bare.sh tools/test      runs this command there instead
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
port=${PORT:-4123}
start_seconds_max=1800

fail() { echo "bare.sh: $*" >&2; exit 1; }
((EUID == 0)) || fail "needs root, for chroot"
command -v debootstrap >/dev/null || fail "needs debootstrap"

bare=$(mktemp -d /tmp/chatx-bare-XXXXXX)
chmod 755 "$bare"  # apt reads its lists as another user.
system=  # The process that everything in there hangs from.
clean_up() {
    # Deaf to TERM while it waits. Its end takes the first process of the namespace along, and that one all others.
    if [[ $system ]]; then kill -KILL "$system" 2>/dev/null || true; wait "$system" 2>/dev/null || true; fi
    rm -rf --one-file-system "$bare"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' | awk '$2 == "bookworm" { print $1; exit }')
echo "bare.sh: making a Debian 12 in $bare"
debootstrap --variant=minbase bookworm "$bare" ${mirror:+"$mirror"} >"$bare.log" 2>&1 || { tail "$bare.log" >&2; exit 1; }
rm "$bare.log"
cp /etc/resolv.conf "$bare/etc/resolv.conf"
git clone --quiet "$root" "$bare/root/chatx"
extra_authorities=()  # Where this machine reaches the registries only with certificates of its own, npm needs them too.
if [[ -r ${NODE_EXTRA_CA_CERTS:-} ]]; then
    cp "$NODE_EXTRA_CA_CERTS" "$bare/root/authorities.crt"
    extra_authorities=(NODE_EXTRA_CA_CERTS=/root/authorities.crt)
fi

cache=${CCACHE_DIR:-}
mkdir "$bare/root/.ccache"

# Runs a command in there, in mount and process namespaces of its own, which end with it.
inside() {
    exec unshare --mount --pid --fork --kill-child bash -c '
        mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" &&
        { [[ ! $2 ]] || mount --bind "$2" "$1/root/.ccache"; } &&
        cd "$1" && shift 2 && exec env -i "$@"' bash "$bare" "$cache" \
        PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 CCACHE_DIR=/root/.ccache "${extra_authorities[@]}" \
        chroot . bash -c 'cd /root/chatx && exec "$@"' bash "$@"
}

if (($#)); then
    (inside "$@") &
    system=$!
    wait "$system"
    exit
fi

(inside tools/run --listen "127.0.0.1:$port") &
system=$!
answers() { python3 -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$port/$1', timeout=2).read()" 2>/dev/null; }
until answers healthz; do
    kill -0 "$system" 2>/dev/null || fail "tools/run ended"
    ((SECONDS < start_seconds_max)) || fail "no answer after $start_seconds_max s"
    sleep 1
done
answers '' || fail "no page at /"
echo "bare.sh: a bare Debian 12 came to a page at http://127.0.0.1:$port in $SECONDS s"

#!/usr/bin/env bash
# Run a command where nothing but this machine can be reached, and chosen host names lead to it.
#
#   hermetic.sh [ADDRESS=NAME[,NAME...]]... -- COMMAND [ARGUMENT...]
#   hermetic.sh 127.0.0.1=login.microsoftonline.com -- python program.py
#
# The command gets a network namespace with only the loopback interface, and a mount namespace with a hosts file of its
# own (network_namespaces(7), mount_namespaces(7)). Nothing outside of it changes. Needs Linux, root, and iproute2.
set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "hermetic.sh: needs root, to make namespaces" >&2; exit 77; }
for tool in unshare ip mount; do
    command -v "$tool" >/dev/null || { echo "hermetic.sh: needs $tool" >&2; exit 77; }
done

hosts=$(mktemp)
trap 'rm -f "$hosts"' EXIT
printf '127.0.0.1 localhost\n::1 localhost\n' >"$hosts"
while [ $# -gt 0 ] && [ "$1" != -- ]; do
    case $1 in
        127.*=?*) names=${1#*=}; printf '%s %s\n' "${1%%=*}" "${names//,/ }" >>"$hosts" ;;
        *) echo "hermetic.sh: expected 127.x.x.x=NAME or --, got $1" >&2; exit 64 ;;
    esac
    shift
done
[ $# -gt 1 ] || { echo "hermetic.sh: expected -- and a command" >&2; exit 64; }
shift

unshare --net --mount bash -euc '
    ip link set lo up
    mount --bind "$1" /etc/hosts
    shift
    exec "$@"
' hermetic "$hosts" "$@"

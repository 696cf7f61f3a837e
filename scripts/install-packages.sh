#!/bin/sh
# Installs the system packages $2 and following, or stops with a line that names them; $1 says why.
set -eu

why=$1
shift

refuse() {
    echo "$why and $1." >&2
    echo "Install, as root: apt-get update && apt-get install $packages" >&2
    exit 1
}

packages=$*
command -v apt-get >/dev/null 2>&1 || refuse "this system has no apt-get (Debian's package names follow)"

if [ "$(id -u)" -eq 0 ]; then
    as_root=
elif command -v sudo >/dev/null 2>&1 && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
else
    refuse "installing them needs root or sudo without a password"
fi

# flock: two runs side by side take turns. RUNLEVEL=1: services stay off after installation.
apt() {
    $as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        flock /var/lib/dpkg apt-get --quiet --option DPkg::Lock::Timeout=600 "$@" </dev/null
}

echo "$why: installing $packages"
apt update
apt install --yes --no-install-recommends "$@"

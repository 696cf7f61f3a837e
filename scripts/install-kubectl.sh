#!/bin/sh
# Fetches a kubectl with kustomize 5 into build/kubectl, when there is none: Debian 12 has one of 1.20,
# which knows no components. It comes from the next Debian, checked by apt, and nothing is installed.
set -eu

cd "$(dirname "$0")/.."
release=trixie
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
kubectl=build/kubectl/usr/bin/kubectl

can_build() {
    "$1" version --client --output=json 2>/dev/null | grep -Eq '"kustomizeVersion": "v([5-9]|[1-9][0-9])\.'
}

if can_build kubectl || can_build "$kubectl"; then
    exit 0
fi

if ! command -v apt-get >/dev/null 2>&1 || [ ! -r "$keyring" ]; then
    echo "the tests build deploy/kubernetes and kubectl is missing or older than 1.27." >&2
    echo "Install kubectl 1.27 or later." >&2
    exit 1
fi

# The mirror is the one that the system itself installs from, not that of the security updates.
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Identifier: Packages' | grep -v security | head -n 1)
if [ -z "$mirror" ]; then
    echo "apt has no source of packages here; install kubectl 1.27 or later" >&2
    exit 1
fi

# Its own sources, lists and status: the system's are neither read nor changed, and root is not needed.
mkdir -p build
here=$(mktemp -d "$PWD/build/apt.XXXXXX")
trap 'rm -rf "$here"' EXIT
mkdir -p "$here/lists/partial" "$here/cache/archives/partial"
cat >"$here/debian.sources" <<END
Types: deb
URIs: $mirror
Suites: $release
Components: main
Signed-By: $keyring
END

apt() {
    apt-get --quiet --option "Dir::Etc::SourceList=$here/debian.sources" \
        --option Dir::Etc::SourceParts=- --option "Dir::State::Lists=$here/lists" \
        --option Dir::State::Status=/dev/null --option "Dir::Cache=$here/cache" \
        --option Acquire::Languages=none --option "APT::Sandbox::User=$(id -un)" "$@" </dev/null
}

echo "the tests build deploy/kubernetes and kubectl is missing: fetching it from Debian $release"
apt update
(cd "$here" && apt download kubectl)
dpkg-deb --extract "$here"/kubectl_*.deb "$here/kubectl"
rm -rf build/kubectl
mv "$here/kubectl" build/kubectl
can_build "$kubectl" || {
    echo "the kubectl of Debian $release does not run here; install kubectl 1.27 or later" >&2
    exit 1
}

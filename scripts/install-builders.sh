#!/bin/sh
# Installs what `make image-test` builds the container image with, when it is missing.
set -eu

here=$(dirname "$0")
missing=

[ -x "$(command -v buildah)" ] || missing="$missing buildah"
[ -x "$(command -v debootstrap)" ] || missing="$missing debootstrap"

if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 # one word for each package
    "$here/install-packages.sh" "the container image is built with tools that are missing" $missing
fi

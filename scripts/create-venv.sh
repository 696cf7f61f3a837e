#!/bin/sh
# Creates the virtual environment $1 with $PYTHON, or else with the first Python that will do.
set -eu

venv=$1
here=$(dirname "$0")

# A name on PATH may be an empty shim, so each candidate has to run.
is_recent() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

python=
for candidate in ${PYTHON:-python3.11 python3 python3.12 python3.13}; do
    if is_recent "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "No Python 3.11 or newer found (looked for: ${PYTHON:-python3.11 python3 python3.12 python3.13})." >&2
    echo "Install one, on Debian: apt-get install python3 python3-venv; or name one: make PYTHON=/path/to/python3" >&2
    exit 1
fi

# Debian ships ensurepip, without which a virtual environment has no pip, in a package of its own.
if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    package=$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
    "$here/install-packages.sh" "$python cannot create a virtual environment" "$package"
fi

"$python" -m venv "$venv"

#!/bin/sh
# Installs the servers the tests start, when they are missing.
set -eu

here=$(dirname "$0")
missing=

# RabbitMQ's own start script is used, not the wrapper on PATH, which insists on its own user.
[ -x "$(command -v redis-server)" ] || missing="$missing redis-server"
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="$missing rabbitmq-server"
[ -x "$(command -v promtool)" ] || missing="$missing prometheus"
[ -x "$(command -v amtool)" ] || missing="$missing prometheus-alertmanager"
# No server: it turns the clock of a worker.
[ -x "$(command -v faketime)" ] || missing="$missing faketime"
# No servers, but what the runbooks call beside the servers' own tools.
[ -x "$(command -v redis-cli)" ] || missing="$missing redis-tools"
[ -x "$(command -v jq)" ] || missing="$missing jq"
[ -x "$(command -v curl)" ] || missing="$missing curl"
[ -x "$(command -v lsof)" ] || missing="$missing lsof"
[ -x "$(command -v ps)" ] || missing="$missing procps"
# Checks the units; it needs not be what this machine was booted with.
[ -x "$(command -v systemd-analyze)" ] || missing="$missing systemd"

if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 # one word for each package
    "$here/install-packages.sh" "the tests start servers that are missing" $missing
fi

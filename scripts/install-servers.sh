#!/bin/sh
# Installs the servers the tests start, when they are missing.
set -eu

here=$(dirname "$0")
missing=

# RabbitMQ's own start script is used, not the wrapper on PATH, which insists on its own user.
[ -x "$(command -v redis-server)" ] || missing="$missing redis-server"
[ -x /usr/lib/rabbitmq/bin/rabbitmq-server ] || missing="$missing rabbitmq-server"
[ -x "$(command -v promtool)" ] || missing="$missing prometheus"

if [ -n "$missing" ]; then
    # shellcheck disable=SC2086 # one word for each package
    "$here/install-packages.sh" "the tests start servers that are missing" $missing
fi

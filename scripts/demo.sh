#!/bin/sh
# From a fresh clone to cited answers over MQTT: builds, fetches, ingests, serves, asks, shuts down.
set -eu
steps=8
# shellcheck source=scripts/lib.sh
. "$(dirname -- "$0")/lib.sh"
cd "$root"

demo=$target/demo
almanac=$target/release/almanac
config=$demo/almanac.toml
# A Unix socket's path must be short, and this folder's may not be.
run=$(mktemp -d "${TMPDIR:-/tmp}/almanac-demo.XXXXXX")
broker='' daemon=''

# Ends process $1, started here and called $2, within $3 seconds, else hard.
end() {
    kill -TERM "$1" 2>/dev/null || return 0
    tries=0
    while kill -0 "$1" 2>/dev/null; do
        tries=$((tries + 1))
        if [ "$tries" -gt $(($3 * 10)) ]; then
            echo "$2 did not end within $3 s; killing it" >&2
            kill -KILL "$1" 2>/dev/null || true
            break
        fi
        sleep 0.1
    done
    wait "$1" 2>/dev/null || true
}

shut_down() {
    [ -z "$daemon" ] || end "$daemon" "the daemon" 15
    [ -z "$broker" ] || end "$broker" "the broker" 5
    daemon='' broker=''
    rm -rf -- "$run"
}
trap shut_down EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step "System packages"
scripts/setup.sh

step "Building (the first time takes some minutes)"
cargo build --release --bin almanac || die "the build failed" "The compiler's messages above say why."

step "Runtime and models"
renew_library "$demo/state"
import_models "$demo/state"
"$almanac" --state "$demo/state" models import-adapter models/farm-adapter --name farm

step "Broker"
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
mkdir -p "$demo/broker"
cat >"$demo/mosquitto.conf" <<CONF
# Written anew by each make demo.
listener $port 127.0.0.1
allow_anonymous true
user $(id -un)
persistence true
persistence_location $demo/broker/
message_size_limit 262144
max_queued_messages 1000
CONF
# What the broker kept of an earlier demo belongs to that one.
rm -f -- "$demo/broker/mosquitto.db"
mosquitto -c "$demo/mosquitto.conf" >"$demo/mosquitto.log" 2>&1 &
broker=$!
cat >"$config" <<CONF
# Written anew by each make demo; all keys: examples/almanac.toml
[box]
site = "demo"
name = "box"
place = { country = "US", region = "Iowa" }

[paths]
state = "state"
run = "$run"

[mqtt]
host = "127.0.0.1"
port = $port
CONF
python3 scripts/demo_ask.py wait-broker --port "$port" --pid "$broker" ||
    die "the broker did not start" "$(tail -n 3 "$demo/mosquitto.log")"
echo "Mosquitto listens on 127.0.0.1:$port."

step "The sample farm's documents"
"$almanac" --config "$config" ingest --sync examples/farm/documents

step "Daemon"
"$almanac" --config "$config" serve >"$demo/almanac.log" 2>&1 &
daemon=$!
python3 scripts/demo_ask.py wait-ready --port "$port" --pid "$daemon" ||
    die "the daemon is not ready" "Its last words, from $demo/almanac.log:" "$(tail -n 5 "$demo/almanac.log")"

step "Questions over MQTT"
python3 scripts/demo_ask.py ask --port "$port" ||
    die "not every answer was as it must be (see above)" "Logs: $demo/almanac.log $demo/mosquitto.log"

step "Shutting down"
shut_down
echo "Done in $(elapsed) s. Everything is in $demo; ask more with examples/ask.py (see its --help)."

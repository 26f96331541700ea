#!/usr/bin/env bash
# Do traces arrive as OTLP says? A collector made from the published definitions (PyPI opentelemetry-proto and protobuf) takes what
# the running program sends and judges it. First nobody listens where the traces go: everything must work, the drops must
# be counted, and one line of the log must say so. On a demo network of its own, on SQLite.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/python.sh
source scripts/postgres.sh # for free_port

OPENTELEMETRY_PROTO=1.45.2

work=
server=
clean_up() {
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null || true
    [[ -z $work ]] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Sets `python`: one with the pinned definitions, in an environment of its own below target/.
install() {
    local venv=target/traces-venv-$OPENTELEMETRY_PROTO
    python=$venv/bin/python
    "$python" -c 'import opentelemetry.proto.trace.v1.trace_pb2' 2>/dev/null && return
    python_venv "$venv" "opentelemetry-proto==$OPENTELEMETRY_PROTO"
}

install
cargo build --locked
work=$(mktemp -d /var/tmp/tongjie-traces.XXXXXX)
port=$(free_port)
collector=$(free_port)
export TONGJIE__DATA__DIR=$work/data TONGJIE__DATABASE__URL=
export TONGJIE__HTTP__BIND=127.0.0.1:$port TONGJIE__SIP2__BIND=127.0.0.1:0
export TONGJIE__AUTH__ARGON2_MEMORY_KIB=64 TONGJIE__AUTH__ARGON2_ITERATIONS=1
export TONGJIE__TELEMETRY__OTLP_ENDPOINT=http://127.0.0.1:$collector TONGJIE__TELEMETRY__SERVICE_NAME=street-branch
mkdir "$TONGJIE__DATA__DIR"
: >"$work/server.log"
target/debug/tongjie demo --scale 0.02 --without-machines >"$work/server.log" 2>&1 </dev/null &
server=$!
for _ in {1..600}; do
    ! grep -q 'Stop it with' "$work/server.log" || break
    kill -0 "$server" 2>/dev/null || { tail -n 30 "$work/server.log" >&2; exit 1; }
    sleep 0.1
done

spans=$("$python" scripts/traces/collect.py "http://127.0.0.1:$port" "$collector" "$TONGJIE__DATA__DIR/demo-accounts.json")
kill -TERM "$server"
wait "$server"
server=
for line in 'traces are not taken by the collector' 'the collector takes traces again'; do
    (($(grep -c "$line" "$work/server.log") == 1)) || { grep -F trace "$work/server.log" >&2; exit 1; }
done
echo "trace_spans=$spans trace_test=ok"

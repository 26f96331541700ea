#!/usr/bin/env bash
# How fast is it? PostgreSQL's own TPC-B benchmark first, as the measure of this machine; then the same machine
# serving check-outs and check-ins over HTTP, on SQLite and on that PostgreSQL. Everything durable: fsync is on.
#
#   scripts/bench.sh            # about three minutes after the build; BENCH_SECONDS=3 for a quick look
#
# The last line is for scripts:
#   sqlite_ratio=… postgres_ratio=… checkout_p95_ms=… import_per_s=… rss_mib=… holds_capture_ratio=… holds_pass_s=… holds_wait_ms=…
# The ratios are operations a second over pgbench's transactions a second. Any failed request, and anything that
# `tongjie check` finds afterwards, fails the run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/postgres.sh

seconds=${BENCH_SECONDS:-10}
work=
server=

clean_up() {
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null || true
    postgres_stop
    [[ -z $work ]] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

say() { printf '\n== %s\n' "$*"; }
now_ms() { local now=${EPOCHREALTIME/[.,]/}; echo $((now / 1000)); }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", a / b }'; }

# json FILE KEY: the first number under that key. Enough for flat files of our own making.
json() {
    local number
    number=$(grep -o "\"$2\" *: *[0-9.]*" "$1" | head -n 1 | grep -o '[0-9.]*$') || {
        echo "$1 has no number under $2" >&2
        return 1
    }
    echo "$number"
}

is_ready() {
    local status=
    # In a subshell, so that the connection ends with it.
    status=$(
        exec 2>/dev/null
        exec 3<>"/dev/tcp/127.0.0.1/$port" || exit
        printf 'GET /health/ready HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
        IFS= read -r -t 5 line <&3 && echo "$line"
    ) || true
    [[ $status == "HTTP/1.1 200"* ]]
}

# start COMMAND SECONDS [OPTION...]: starts the server and waits until it is ready, at most so long. Sets start_ms.
start() {
    local began deadline
    began=$(now_ms)
    deadline=$((began + $2 * 1000))
    "$tongjie" "$1" "${@:3}" >"$work/server.log" 2>&1 </dev/null &
    server=$!
    until is_ready; do
        if ! kill -0 "$server" 2>/dev/null || (($(now_ms) > deadline)); then
            echo "the server did not get ready; its last words:" >&2
            tail -n 30 "$work/server.log" >&2
            return 1
        fi
        sleep 0.02
    done
    start_ms=$(($(now_ms) - began))
}

# Asks the server to stop and waits for it, at most 60 seconds.
stop() {
    kill -TERM "$server"
    for _ in {1..600}; do
        if ! kill -0 "$server" 2>/dev/null; then
            wait "$server" || { echo "the server ended with status $?" >&2; return 1; }
            server=
            return
        fi
        sleep 0.1
    done
    echo "the server did not stop" >&2
    return 1
}

# bench PROFILE CLIENTS FILE
bench() {
    say "$engine: profile $1, $2 clients"
    "$tongjie" bench --url "http://127.0.0.1:$port" --accounts "$TONGJIE__DATA__DIR/demo-accounts.json" \
        --profile "$1" --clients "$2" --seconds "$seconds" --json "$3" </dev/null
}

# measure ENGINE: the whole programme on the database that the environment names.
measure() {
    engine=$1
    export TONGJIE__DATA__DIR=$work/$engine
    mkdir "$TONGJIE__DATA__DIR"
    port=$(free_port)
    export TONGJIE__HTTP__BIND=127.0.0.1:$port TONGJIE__SIP2__BIND=127.0.0.1:0
    say "$engine: creating the demo network"
    start demo 900 --without-machines
    echo "ready after $start_ms ms"
    bench mix 64 "$work/$engine-mix.json"
    bench latency 8 "$work/$engine-latency.json"
    bench history 1 "$work/$engine-history.json"
    rss_mib=$(awk '/^VmHWM:/ { printf "%d", ($2 + 1023) / 1024 }' "/proc/$server/status")
    echo "memory at its highest: $rss_mib MiB"
    stop
    say "$engine: check"
    "$tongjie" check </dev/null
    start serve 60
    stop
}

cargo build --release --locked
tongjie=$PWD/target/release/tongjie
# Beside the cluster and so on the same disk: /tmp may be memory, where nothing is durable.
work=$(mktemp -d /var/tmp/tongjie-bench.XXXXXX)

postgres_start shared_buffers=256MB synchronous_commit=on fsync=on max_connections=300
pg=(-h "$POSTGRES_SOCKET" -p "$POSTGRES_PORT" -U postgres)
say "pgbench (TPC-B, scale 10)"
"$POSTGRES_BIN/createdb" "${pg[@]}" pgbench
"$POSTGRES_BIN/pgbench" "${pg[@]}" -i -q -s 10 pgbench >"$work/pgbench.log" 2>&1
"$POSTGRES_BIN/pgbench" "${pg[@]}" -c 8 -j 2 -T "$seconds" -M prepared pgbench 2>>"$work/pgbench.log" \
    | tee "$work/pgbench.txt"
tpcb=$(awk '/^tps = / { print $3; exit }' "$work/pgbench.txt")

export TONGJIE__DATABASE__URL=
measure sqlite
sqlite_rss_mib=$rss_mib
sqlite_start_ms=$start_ms

say "sqlite: import of 20,000 records"
"$tongjie" seed --marc-out "$work/import.mrc" --records 20000 </dev/null
# Reads to the end: under pipefail a reader that stops early fails the pipe.
owner=$(grep -o '"unit_code" *: *"[^"]*"' "$TONGJIE__DATA__DIR/demo-accounts.json" | sed -n '1s/.*"\([^"]*\)"$/\1/p')
"$tongjie" import marc "$work/import.mrc" --owner "$owner" --report "$work/import.json" </dev/null
"$tongjie" check </dev/null

"$POSTGRES_BIN/createdb" "${pg[@]}" tongjie
# Over the same socket as pgbench.
export TONGJIE__DATABASE__URL=postgres://postgres@${POSTGRES_SOCKET//\//%2F}:$POSTGRES_PORT/tongjie
measure postgres

say "holds: 100,000 open ones, one bib with 500"
TMPDIR=$work TONGJIE_TEST_POSTGRES=postgres://postgres@${POSTGRES_SOCKET//\//%2F}:$POSTGRES_PORT/postgres \
    cargo bench --locked --bench holds </dev/null | tee "$work/holds.txt"
# holds KEY: what the benchmark of holds printed under it.
holds() { grep -o "\b$1=[0-9.]*" "$work/holds.txt" | cut -d = -f 2; }

sqlite=$(json "$work/sqlite-mix.json" throughput_per_s)
postgres=$(json "$work/postgres-mix.json" throughput_per_s)
say "result"
echo "pgbench_tps=$tpcb sqlite_per_s=$sqlite postgres_per_s=$postgres"
echo "sqlite_start_ms=$sqlite_start_ms postgres_start_ms=$start_ms postgres_rss_mib=$rss_mib"
echo "postgres_holds_capture_ratio=$(holds postgres_capture_ratio) postgres_holds_pass_s=$(holds postgres_pass_s)" \
    "postgres_holds_wait_ms=$(holds postgres_wait_ms)"
echo "postgres_checkout_p95_ms=$(json "$work/postgres-latency.json" check_out_p95_ms)"
for engine in sqlite postgres; do
    echo "${engine}_history_ratio=$(json "$work/$engine-history.json" history_ratio_median)" \
        "${engine}_history_ratio_of_means=$(json "$work/$engine-history.json" history_ratio_mean)"
done
echo "sqlite_ratio=$(ratio "$sqlite" "$tpcb") postgres_ratio=$(ratio "$postgres" "$tpcb")" \
    "checkout_p95_ms=$(json "$work/sqlite-latency.json" check_out_p95_ms)" \
    "import_per_s=$(json "$work/import.json" records_per_second) rss_mib=$sqlite_rss_mib" \
    "holds_capture_ratio=$(holds sqlite_capture_ratio) holds_pass_s=$(holds sqlite_pass_s) holds_wait_ms=$(holds sqlite_wait_ms)"

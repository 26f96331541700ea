#!/usr/bin/env bash
# Does the program do what its OpenAPI file says? schemathesis, a public fuzzer, makes requests from the file that the
# running program serves, good ones and bad ones, and judges every answer with all its checks: no 5xx, no answer outside
# the schema, no undocumented status or media type, no bad request accepted, no good one refused, no unknown method.
#
#   scripts/fuzz.sh [--engine sqlite|postgres|both] [--max-examples N] [--seconds N] [--seed N|random]
#
# On a demo network of its own, as staff, as a reader and as nobody. `--seconds` is for each engine (45: what CI takes),
# `--max-examples` for each operation and phase. The seed is fixed unless told, so that a change is judged by what it
# changes. Afterwards `tongjie check` must find nothing. FUZZ_REPORTS=DIR keeps every case. The last line is for scripts:
#   fuzz_cases=… fuzz_findings=…
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/python.sh
source scripts/postgres.sh

SCHEMATHESIS=4.32.5

engines=(sqlite postgres)
examples=15
seconds=45
seed=20260304
while (($#)); do
    case $1 in
        --engine) [[ $2 == both ]] || engines=("$2") ;;
        --max-examples) examples=$2 ;;
        --seconds) seconds=$2 ;;
        --seed) seed=$2 ;;
        *) echo "what is $1? see the head of $0" >&2; exit 2 ;;
    esac
    shift 2
done
[[ $seed != random ]] || seed=$RANDOM$RANDOM
for engine in "${engines[@]}"; do
    [[ $engine == sqlite || $engine == postgres ]] || { echo "there is no engine $engine" >&2; exit 2; }
done

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

# Sets `fuzzer`: the pinned schemathesis, in an environment of its own below target/.
install() {
    local venv=target/fuzz-venv-$SCHEMATHESIS
    fuzzer=$venv/bin/schemathesis
    [[ -x $fuzzer ]] && return
    python_venv "$venv" "schemathesis==$SCHEMATHESIS"
}

# start ENGINE: the demo network on that engine. Sets FUZZ_URL and FUZZ_ACCOUNTS.
start() {
    local port
    port=$(free_port)
    export TONGJIE__DATA__DIR=$work/$1 TONGJIE__DATABASE__URL=
    if [[ $1 == postgres ]]; then
        postgres_start fsync=off max_connections=100
        TONGJIE__DATABASE__URL=$POSTGRES_URL
    fi
    mkdir "$TONGJIE__DATA__DIR"
    export TONGJIE__HTTP__BIND=127.0.0.1:$port TONGJIE__SIP2__BIND=127.0.0.1:0
    export FUZZ_URL=http://127.0.0.1:$port FUZZ_ACCOUNTS=$TONGJIE__DATA__DIR/demo-accounts.json
    : >"$work/server.log"
    "$tongjie" demo --scale 0.02 --without-machines >"$work/server.log" 2>&1 </dev/null &
    server=$!
    for _ in {1..600}; do
        if grep -q 'Stop it with' "$work/server.log"; then
            return
        fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    echo "the server did not get ready; its last words:" >&2
    tail -n 30 "$work/server.log" >&2
    return 1
}

# Asks the server to stop, waits for it, and looks at what it left behind.
stop() {
    kill -TERM "$server"
    wait "$server" || { echo "the server ended with status $?" >&2; return 1; }
    server=
    "$tongjie" check </dev/null
    # A request that is no HTTP at all is answered 400 by the framework, which logs it as an error of its own.
    if grep -E ' ERROR |panicked' "$work/server.log" | grep -v 'actix_http::h1::dispatcher: stream error' >&2; then
        echo "the server logged failures" >&2
        return 1
    fi
    [[ -z $POSTGRES_DIR ]] || postgres_stop
}

# fuzz WHO SECONDS: adds to `cases` and `findings`.
fuzz() {
    local log=$work/fuzz.log status=0 reports=()
    [[ -z ${FUZZ_REPORTS:-} ]] || reports=(--report ndjson --report-dir "$FUZZ_REPORTS/$engine-$1")
    say "$engine: as $1, $2 s"
    FUZZ_WHO=$1 SCHEMATHESIS_HOOKS=scripts/fuzz/hooks.py PYTHONDONTWRITEBYTECODE=1 \
        "$fuzzer" --config-file scripts/fuzz/schemathesis.toml run "$FUZZ_URL/api/v1/openapi.json" \
        --checks all --max-examples "$examples" --max-time "$2" --seed "$seed" --request-timeout 20 \
        --warnings off --no-color "${reports[@]}" >"$log" 2>&1 </dev/null || status=$?
    local ran found
    ran=$(grep -oE '[0-9,]+ generated' "$log" | tail -n 1 | tr -dc 0-9 || true)
    found=$(grep -oE 'found [0-9,]+ unique' "$log" | tail -n 1 | tr -dc 0-9 || true)
    echo "$engine $1: ${ran:-0} cases, ${found:-0} findings"
    cases=$((cases + ${ran:-0}))
    findings=$((findings + ${found:-0}))
    if ((status != 0 || ${ran:-0} == 0)); then
        cat "$log" >&2
        failed=1
    fi
}

install
cargo build --locked
tongjie=$PWD/target/debug/tongjie
work=$(mktemp -d /var/tmp/tongjie-fuzz.XXXXXX)
# Hashing a PIN is meant to be slow; here it would only be waited for. Tokens outlive the run.
export TONGJIE__AUTH__ARGON2_MEMORY_KIB=64 TONGJIE__AUTH__ARGON2_ITERATIONS=1 TONGJIE__AUTH__ACCESS_MINUTES=1440
export TONGJIE__LOG__FILTER=warn
# The fuzzer asks as fast as it can, and a fast machine would meet the rate limits (`[rates]`) instead of the operation:
# these have tests of their own.
for who in STAFF DEVICE READER ANONYMOUS; do
    export "TONGJIE__RATES__${who}_PER_SECOND=0"
done
cases=0
findings=0
failed=0
for engine in "${engines[@]}"; do
    start "$engine"
    fuzz staff $((seconds * 3 / 5))
    fuzz reader $((seconds / 4))
    fuzz anonymous $((seconds * 3 / 20 + 1))
    stop || failed=1
done
say "result (seed $seed)"
echo "fuzz_cases=$cases fuzz_findings=$findings"
exit "$failed"

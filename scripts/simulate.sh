#!/usr/bin/env bash
# A network's simulated weeks against the real store, longer than the tests have time for: scripts/simulate.sh SEEDS DAYS
# The seeds 1 to SEEDS live through DAYS days each, on SQLite and on PostgreSQL: the one TONGJIE_TEST_POSTGRES names, else a
# private one that is gone afterwards. TONGJIE_SIM_SEED=N takes that seed alone. What breaks an invariant is told with its seed.
# The last line is `days=… operations=… violations=…`; with violations the exit code is 1.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if (($# != 2)) || [[ ! $1 =~ ^[1-9][0-9]*$ || ! $2 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: scripts/simulate.sh SEEDS DAYS" >&2
    exit 2
fi
export TONGJIE_SIM_SEEDS=$1 TONGJIE_SIM_DAYS=$2

if [[ -z ${TONGJIE_TEST_POSTGRES:-} ]]; then
    source scripts/postgres.sh
    trap postgres_stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    postgres_start fsync=off max_connections=300
    export TONGJIE_TEST_POSTGRES=$POSTGRES_URL
fi

cargo test --locked --test model --no-run
# Progress is told as it comes, and added up at the end.
status=0
cargo test --locked --test model simulation:: -- --nocapture 2>&1 | awk '
    { print; fflush() }
    $1 == "simulated" {
        for (i = 2; i <= NF; i++) { split($i, pair, "="); sum[pair[1]] += pair[2] }
        runs++
    }
    # A run that ended by a panic told no line of its own.
    /^a panic in the simulation/ { sum["violations"]++ }
    /^test result: FAILED/ { failed = 1 }
    END {
        if ((failed || runs == 0) && sum["violations"] == 0) sum["violations"] = 1
        printf "days=%d operations=%d violations=%d\n", sum["days"], sum["operations"], sum["violations"]
        exit sum["violations"] > 0
    }' || status=$?
exit "$status"

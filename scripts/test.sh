#!/usr/bin/env bash
# The whole test suite, on SQLite and on a private PostgreSQL that is gone afterwards.
# Arguments go to `cargo test`: scripts/test.sh --test api check_out
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/postgres.sh

trap postgres_stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Durability is not under test through this cluster, and without fsync the suite takes a fraction of the time.
postgres_start fsync=off max_connections=300
export TONGJIE_TEST_POSTGRES=$POSTGRES_URL
cargo test --locked "$@"

#!/usr/bin/env bash
# Can others build on the OpenAPI file? A client is generated from the file that the running program serves, by a public
# generator (npm openapi-typescript); a small program is type-checked against it, and then logs in at a desk, lends a book
# and takes it back. On a demo network of its own, on SQLite. Where there is no Node.js, it is installed through apt.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/postgres.sh # for free_port

work=
server=
clean_up() {
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null || true
    [[ -z $work ]] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# At least version 18, which has fetch.
has_node() {
    command -v npm >/dev/null && (($(node --version 2>/dev/null | tr -d v | cut -d. -f1) >= 18))
}

install_node() {
    local sudo=()
    ((EUID == 0)) || sudo=(sudo)
    if ! command -v apt-get >/dev/null; then
        echo "Node.js 18 or newer with npm was not found and there is no apt-get: install it." >&2
        return 1
    fi
    echo "Node.js was not found: installing it through apt." >&2
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nodejs npm >&2
    has_node || { echo "apt has no Node.js 18 or newer" >&2; return 1; }
}

has_node || install_node
cargo build --locked
tongjie=$PWD/target/debug/tongjie
work=$(mktemp -d /var/tmp/tongjie-client.XXXXXX)
port=$(free_port)
export TONGJIE__DATA__DIR=$work/data TONGJIE__DATABASE__URL=
export TONGJIE__HTTP__BIND=127.0.0.1:$port TONGJIE__SIP2__BIND=127.0.0.1:0
# Hashing a password is meant to be slow; here it would only be waited for.
export TONGJIE__AUTH__ARGON2_MEMORY_KIB=64 TONGJIE__AUTH__ARGON2_ITERATIONS=1
mkdir "$TONGJIE__DATA__DIR"
: >"$work/server.log"
"$tongjie" demo --scale 0.02 --without-machines >"$work/server.log" 2>&1 </dev/null &
server=$!
for _ in {1..600}; do
    ! grep -q 'Stop it with' "$work/server.log" || break
    kill -0 "$server" 2>/dev/null || { tail -n 30 "$work/server.log" >&2; exit 1; }
    sleep 0.1
done

# A copy, so that nothing is left in the work tree.
cp -r scripts/client "$work/client"
cd "$work/client"
rm -rf node_modules build src/api.ts
npm ci --no-audit --no-fund --loglevel=error </dev/null
npx --no-install openapi-typescript "http://127.0.0.1:$port/api/v1/openapi.json" --output src/api.ts </dev/null
npx --no-install tsc
node build/lend.js "http://127.0.0.1:$port" "$TONGJIE__DATA__DIR/demo-accounts.json"
kill -TERM "$server"
wait "$server"
server=
echo "client_operations=$(grep -c ': operations\["' src/api.ts) client_test=ok"

#!/usr/bin/env bash
# Do notices arrive at a mail server that nobody here wrote? PyPI aiosmtpd takes them by STARTTLS with a log-in, and refuses (the reader's
# address, the relaying, the mail), stalls, drops and answers too late now and then. Readers of a demo network ask for codes; each must be seen once, by its Message-ID, whatever the server did.
#
#   scripts/mail.sh [READERS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/python.sh
source scripts/postgres.sh # for free_port

AIOSMTPD=1.4.6
READERS=${1:-200}

work=
server=
clean_up() {
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null || true
    [[ -z $work ]] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Sets `python`: one with the pinned server, in an environment of its own below target/.
install() {
    local venv=target/mail-venv-$AIOSMTPD
    python=$venv/bin/python
    "$python" -c 'import aiosmtpd' 2>/dev/null && return
    python_venv "$venv" "aiosmtpd==$AIOSMTPD"
}

install
cargo build --locked
work=$(mktemp -d /var/tmp/tongjie-mail.XXXXXX)
port=$(free_port)
smtp=$(free_port)
# A server certificate of an authority of its own.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -addext basicConstraints=critical,CA:FALSE \
    -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null
export TONGJIE__DATA__DIR=$work/data TONGJIE__DATABASE__URL=
export TONGJIE__HTTP__BIND=127.0.0.1:$port TONGJIE__SIP2__BIND=127.0.0.1:0
export TONGJIE__AUTH__ARGON2_MEMORY_KIB=64 TONGJIE__AUTH__ARGON2_ITERATIONS=1
export TONGJIE__MAIL__HOST=localhost TONGJIE__MAIL__PORT=$smtp TONGJIE__MAIL__SECURITY=starttls
export TONGJIE__MAIL__USERNAME=library TONGJIE__MAIL__PASSWORD=open-sesame TONGJIE__MAIL__FROM=library@example.org
export TONGJIE__MAIL__CA_CERTIFICATE=$work/certificate.pem TONGJIE__MAIL__TIMEOUT_MS=2000
export TONGJIE__MAIL__BOUNCE_DOMAIN=bounces.example.org
mkdir "$TONGJIE__DATA__DIR"
: >"$work/server.log"
target/debug/tongjie demo --scale 0.05 >"$work/server.log" 2>&1 </dev/null &
server=$!
for _ in {1..600}; do
    ! grep -q 'Stop it with' "$work/server.log" || break
    kill -0 "$server" 2>/dev/null || { tail -n 30 "$work/server.log" >&2; exit 1; }
    sleep 0.1
done

"$python" scripts/mail/take.py "http://127.0.0.1:$port" "$smtp" "$TONGJIE__DATA__DIR/demo-accounts.json" "$work" "$READERS"
kill -TERM "$server"
wait "$server"
server=
echo "mail_test=ok"

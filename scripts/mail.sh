#!/usr/bin/env bash
# Do notices arrive at a mail server that nobody here wrote? PyPI aiosmtpd takes them by STARTTLS with a log-in.
#
#   scripts/mail.sh [READERS]           # 200: readers of a demo network ask for codes. The server refuses (the reader's address, the
#                                       # relaying, the mail), stalls, drops and answers too late now and then; each code must be seen
#                                       # once, by its Message-ID, whatever the server did
#   scripts/mail.sh --load [NOTICES]    # 10000: so many readers have something due soon. How long from the begin of the reminders until
#                                       # the server took the last mail? On SQLite and on PostgreSQL, everything durable
#
# MAIL_PROFILE=release measures that build, MAIL_ENGINES=sqlite one engine. `--load` fails over 60 seconds; its last lines are for scripts:
#   mail_load engine=… build=… notices=… seconds=… per_second=…
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/python.sh
source scripts/postgres.sh # for free_port, too

AIOSMTPD=1.4.6
profile=${MAIL_PROFILE:-debug}
load=
if [[ ${1:-} == --load ]]; then
    load=${2:-10000}
fi
READERS=${1:-200}

work=
server=
taker=
clean_up() {
    [[ -z $server ]] || kill -KILL "$server" 2>/dev/null || true
    [[ -z $taker ]] || kill -KILL "$taker" 2>/dev/null || true
    postgres_stop
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

# start COMMAND…: the program, until it serves.
start() {
    : >"$work/server.log"
    "$tongjie" "$@" >"$work/server.log" 2>&1 </dev/null &
    server=$!
    for _ in {1..6000}; do
        ! grep -q 'Stop it with\|tongjie serves' "$work/server.log" || return 0
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 30 "$work/server.log" >&2
    return 1
}

stop() {
    kill -TERM "$server"
    wait "$server" || { echo "the server ended with status $?" >&2; return 1; }
    server=
}

# load_on ENGINE: a demo network whose loans are due soon, first without a mail server, to enter the addresses.
load_on() {
    export TONGJIE__DATA__DIR=$work/$1 TONGJIE__DATABASE__URL=
    if [[ $1 == postgres ]]; then
        postgres_start max_connections=100
        TONGJIE__DATABASE__URL=$POSTGRES_URL
        export MAIL_PSQL=$POSTGRES_BIN/psql
    fi
    mkdir "$TONGJIE__DATA__DIR"
    local accounts=$TONGJIE__DATA__DIR/demo-accounts.json
    local step=("$python" scripts/mail/load.py "http://127.0.0.1:$port" "$smtp" "$accounts" "$work" "$load")
    "$tongjie" seed --tier demo --scale "$(awk -v n="$load" 'BEGIN { s = n / 7000; print s < 0.05 ? 0.05 : s }')" >/dev/null
    "${step[@]}" readers
    TONGJIE__MAIL__HOST='' start serve
    "${step[@]}" addresses
    stop
    "${step[@]}" due
    # The mail server first: a program that finds none rests for a while.
    "${step[@]}" take >"$work/told" &
    taker=$!
    until [[ -e $work/taking ]]; do
        kill -0 "$taker" || return 1
        sleep 0.1
    done
    start serve
    wait "$taker"
    taker=
    rm "$work/taking"
    stop
    sed "s/^mail_load/& engine=$1 build=$profile/" "$work/told" | tee -a "$work/results"
    [[ -z $POSTGRES_DIR ]] || postgres_stop
}

install
if [[ $profile == release ]]; then
    cargo build --locked --release
else
    cargo build --locked
fi
tongjie=$PWD/${CARGO_TARGET_DIR:-target}/$profile/tongjie
[[ ${CARGO_TARGET_DIR:-} != /* ]] || tongjie=$CARGO_TARGET_DIR/$profile/tongjie
work=$(mktemp -d /var/tmp/tongjie-mail.XXXXXX)
port=$(free_port)
smtp=$(free_port)
if ! command -v openssl >/dev/null; then
    sudo=()
    ((EUID == 0)) || sudo=(sudo)
    echo "The openssl program is missing: installing it through apt." >&2
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends openssl >&2
fi
# A server certificate of an authority of its own.
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
    -addext basicConstraints=critical,CA:FALSE \
    -keyout "$work/key.pem" -out "$work/certificate.pem" 2>/dev/null
export TONGJIE__DATA__DIR=$work/data TONGJIE__DATABASE__URL=
export TONGJIE__HTTP__BIND=127.0.0.1:$port TONGJIE__SIP2__BIND=127.0.0.1:0
export TONGJIE__AUTH__ARGON2_MEMORY_KIB=64 TONGJIE__AUTH__ARGON2_ITERATIONS=1
export TONGJIE__MAIL__HOST=localhost TONGJIE__MAIL__PORT=$smtp TONGJIE__MAIL__SECURITY=starttls
export TONGJIE__MAIL__USERNAME=library TONGJIE__MAIL__PASSWORD=open-sesame TONGJIE__MAIL__FROM=library@example.org
export TONGJIE__MAIL__CA_CERTIFICATE=$work/certificate.pem
export TONGJIE__MAIL__BOUNCE_DOMAIN=bounces.example.org

if [[ -n $load ]]; then
    # A desk enters the addresses as fast as it can, and nothing but what is due soon is told of.
    export TONGJIE__RATES__STAFF_PER_SECOND=0 TONGJIE__LOG__FILTER=error
    export TONGJIE__NOTICES__OVERDUE_1_DAYS=0 TONGJIE__NOTICES__OVERDUE_2_DAYS=0 TONGJIE__NOTICES__OVERDUE_3_DAYS=0
    export TONGJIE__NOTICES__CARD_EXPIRING_DAYS=0 TONGJIE__NOTICES__HOLD_EXPIRING_DAYS=0
    for engine in ${MAIL_ENGINES:-sqlite postgres}; do
        load_on "$engine"
    done
    printf '\n'
    cat "$work/results"
    awk -F 'seconds=' '{ split($2, s, " "); late += s[1] > 60 } END { exit late > 0 }' "$work/results" ||
        { echo "more than 60 seconds" >&2; exit 1; }
    exit
fi

export TONGJIE__MAIL__TIMEOUT_MS=2000
mkdir "$TONGJIE__DATA__DIR"
start demo --scale 0.05 --without-machines
"$python" scripts/mail/take.py "http://127.0.0.1:$port" "$smtp" "$TONGJIE__DATA__DIR/demo-accounts.json" "$work" "$READERS"
stop
echo "mail_test=ok"

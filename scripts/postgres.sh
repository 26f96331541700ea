# shellcheck shell=bash
# A private, throw-away PostgreSQL cluster. To be sourced:
#
#   source scripts/postgres.sh
#   postgres_start fsync=off max_connections=300     # settings for postgresql.conf
#   …  "$POSTGRES_URL" (TCP on loopback, superuser), "$POSTGRES_SOCKET" and "$POSTGRES_PORT", "$POSTGRES_BIN"/psql
#   postgres_stop                                    # call it from a trap as well; does nothing when not started
#
# Nothing of the machine's own PostgreSQL is touched, whether it runs or not. Where there is none, the programs are
# installed through apt, without creating or starting a system-wide cluster.

POSTGRES_DIR=

# Sets POSTGRES_BIN to the newest installed version's programs; fails if there is none.
postgres_find() {
    local initdb
    initdb=$(find /usr/lib/postgresql/*/bin/initdb 2>/dev/null | sort -V | tail -n 1)
    [[ -n $initdb ]] || initdb=$(command -v initdb) || return 1
    POSTGRES_BIN=$(dirname "$(readlink -f "$initdb")")
}

postgres_install() {
    local sudo=()
    ((EUID == 0)) || sudo=(sudo)
    if ! command -v apt-get >/dev/null; then
        echo "PostgreSQL's initdb was not found and there is no apt-get: install PostgreSQL 15 or newer." >&2
        return 1
    fi
    echo "PostgreSQL's initdb was not found: installing it through apt." >&2
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
    # First only the scripts that would create the default cluster, so that they can be told not to.
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql-common >&2
    local conf=/etc/postgresql-common/createcluster.d
    "${sudo[@]}" mkdir -p "$conf"
    echo "create_main_cluster = false" | "${sudo[@]}" tee "$conf/no-main-cluster.conf" >/dev/null
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends postgresql >&2
}

# Runs one of PostgreSQL's programs as the owner of the cluster: it refuses to run as root.
postgres_run() {
    local program=$1
    shift
    local as=()
    ((EUID != 0)) || as=(runuser -u "$POSTGRES_OWNER" --)
    # The owner may not be allowed into the directory we are in.
    (cd / && "${as[@]}" "$POSTGRES_BIN/$program" "$@")
}

# Prints a loopback TCP port nobody listens on now.
free_port() {
    local port
    for _ in {1..100}; do
        port=$((20000 + RANDOM % 12000))
        if ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
    echo "no free port was found" >&2
    return 1
}

postgres_start() {
    postgres_find || { postgres_install && postgres_find; } || return 1
    POSTGRES_OWNER=$(id -un)
    # /var/tmp is on a disk where /tmp may be memory; and its name is short enough for a socket.
    POSTGRES_DIR=$(mktemp -d /var/tmp/tongjie-pg.XXXXXX)
    local password settings
    password=$(head -c 18 /dev/urandom | od -An -tx1 | tr -d ' \n')
    echo "$password" >"$POSTGRES_DIR/password"
    if ((EUID == 0)); then
        POSTGRES_OWNER=postgres
        id postgres >/dev/null 2>&1 || POSTGRES_OWNER=nobody
        chown -R "$POSTGRES_OWNER" "$POSTGRES_DIR"
    fi
    # The directory is the owner's alone, so the socket needs no password; TCP does, other users can reach it.
    postgres_run initdb --pgdata="$POSTGRES_DIR/data" --username=postgres --pwfile="$POSTGRES_DIR/password" \
        --auth-local=trust --auth-host=password --encoding=UTF8 --locale=C --no-sync >"$POSTGRES_DIR/initdb.log"
    POSTGRES_SOCKET=$POSTGRES_DIR
    for _ in {1..5}; do
        POSTGRES_PORT=$(free_port)
        settings="-c listen_addresses=127.0.0.1 -c port=$POSTGRES_PORT -c unix_socket_directories=$POSTGRES_SOCKET"
        settings+=$(printf -- ' -c %s' "$@")
        # Somebody may take the port in between; then another one is tried.
        if postgres_run pg_ctl --pgdata="$POSTGRES_DIR/data" --log="$POSTGRES_DIR/server.log" --wait --timeout=60 \
            --options="$settings" start >/dev/null; then
            # shellcheck disable=SC2034 # for the caller
            POSTGRES_URL="postgres://postgres:$password@127.0.0.1:$POSTGRES_PORT/postgres"
            return
        fi
    done
    echo "PostgreSQL did not start:" >&2
    tail -n 20 "$POSTGRES_DIR/server.log" >&2
    return 1
}

postgres_stop() {
    [[ -n $POSTGRES_DIR ]] || return 0
    # Nothing in it is worth a checkpoint. Not running (any more) is fine too.
    postgres_run pg_ctl --pgdata="$POSTGRES_DIR/data" --mode=immediate stop >/dev/null 2>&1 || true
    rm -rf "$POSTGRES_DIR"
    POSTGRES_DIR=
}

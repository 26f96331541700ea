#!/usr/bin/env bash
# Do our drivers get on with machines that nobody here wrote? The suite tests/drivers against pymodbus (by TCP, and on a serial pair of
# socat) and mosquitto; they are killed, stalled and made to answer late. Arguments go to the test program: scripts/devices.sh mqtt
#
# pymodbus comes from PyPI into an environment below target/; socat and mosquitto through apt, where that is allowed. What cannot be
# installed is skipped with a line that says so; TONGJIE_TEST_DEVICES=required makes it a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
source scripts/python.sh

PYMODBUS=3.16.1

# The interpreter that the tests look for, with the pinned version.
install_pymodbus() {
    local venv=target/devices-venv
    "$venv/bin/python" -c "import serial, pymodbus; assert pymodbus.__version__ == '$PYMODBUS'" 2>/dev/null && return
    python_venv "$venv" "pymodbus[serial]==$PYMODBUS"
}

# What is missing of socat and mosquitto; asking for a password would be waiting for nobody.
install_packages() {
    local missing=() sudo=()
    PATH=$PATH:/usr/sbin
    command -v socat >/dev/null || missing+=(socat)
    command -v mosquitto >/dev/null || missing+=(mosquitto)
    command -v mosquitto_sub >/dev/null || missing+=(mosquitto-clients)
    ((${#missing[@]})) || return 0
    ((EUID == 0)) || sudo=(sudo -n)
    echo "Missing: ${missing[*]}; installing through apt." >&2
    timeout 120 "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2 &&
        timeout 120 "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}" >&2
}

install_pymodbus || {
    # The tests take an environment that is there for a whole one.
    rm -rf target/devices-venv
    echo "pymodbus could not be installed: the Modbus drivers are not tested"
}
install_packages || echo "socat or mosquitto could not be installed: what needs them is not tested"
cargo test --locked --test drivers -- --nocapture "$@"

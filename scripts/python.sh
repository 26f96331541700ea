# shellcheck shell=bash
# Python programs that are pinned and kept away from the machine's own. To be sourced.

# python_venv DIR PACKAGE: a fresh environment in DIR with that package. Where Python's venv is missing, it is installed
# through apt.
python_venv() {
    rm -rf "$1"
    if ! python3 -m venv "$1"; then
        local sudo=()
        ((EUID == 0)) || sudo=(sudo)
        echo "Python's venv is missing: installing it through apt." >&2
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
        "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y python3-venv >&2
        rm -rf "$1"
        python3 -m venv "$1"
    fi
    "$1/bin/pip" install --quiet --disable-pip-version-check "$2"
}

# Sourced by the checks in this directory. Installs tools of other ecosystems once, under
# target/ci, and prints their directories.
ci_root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
ci_tools="$ci_root/target/ci"

# pip_tool NAME PACKAGE... : installs packages into a virtual environment, and prints its
# bin directory.
pip_tool() {
    local home="$ci_tools/pip-$1"
    shift
    if [ ! -e "$home/installed" ]; then
        rm -rf "$home"
        command -v python3 >/dev/null || apt_tool python3 python3-venv >&2
        python3 -m venv "$home" 2>/dev/null || {
            apt_tool python3-venv >&2
            python3 -m venv "$home"
        }
        "$home/bin/pip" install --quiet --no-input "$@" >&2
        touch "$home/installed"
    fi
    echo "$home/bin"
}

# npm_tool NAME PACKAGE... : installs packages into a directory, and prints it. NODE_PATH is
# its node_modules.
npm_tool() {
    local home="$ci_tools/npm-$1"
    shift
    if [ ! -e "$home/installed" ]; then
        rm -rf "$home"
        mkdir -p "$home"
        command -v npm >/dev/null || apt_tool nodejs npm >&2
        npm install --silent --no-audit --no-fund --prefix "$home" "$@" >&2
        touch "$home/installed"
    fi
    echo "$home"
}

# apt_tool PACKAGE... : installs packages of the distribution.
apt_tool() {
    local sudo=
    [ "$(id -u)" = 0 ] || sudo=sudo
    $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@"
}

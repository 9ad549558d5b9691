#!/usr/bin/env bash
# Install an optional part that is compiled here and needs system packages: setup_extra.sh gpaw|transport
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/common.sh

: "${VENV:=.venv}" "${PIP_ARGS:=}"
LOG=$VENV/setup.log
extra=${1:-}

# One `package:what it provides` per system package: a program, or a library as the linker names it.
case $extra in
    gpaw) parts=(g++:c++ libxc-dev:-lxc libopenblas-dev:-lopenblas) ;;
    transport) parts=(g++:c++ cmake:cmake libgtest-dev:-lgtest) ;;
    *) stop "'$extra' is not one of gpaw, transport" ;;
esac

is_there() {
    [[ $1 == -l* ]] || { command -v "$1" >/dev/null; return; }
    echo "int main() {}" | c++ -x c++ - "$1" -o /dev/null 2>/dev/null
}

missing=()
for part in "${parts[@]}"; do
    is_there "${part#*:}" || missing+=("${part%%:*}")
done
headers=$("$VENV/bin/python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
[[ -f $headers/Python.h ]] || missing+=("$("$VENV/bin/python" -c 'import sys; print("python%d.%d-dev" % sys.version_info[:2])')")
need_packages "make $extra" "${missing[@]}"

# GPAW compiles its C sources as C++; gcc stops at the first C++ header.
[[ $extra != gpaw ]] || export CC=g++
# shellcheck disable=SC2086
step "gen2dft[$extra], compiled here; usually 2 to 6 minutes" \
    "$VENV/bin/python" -m pip install --disable-pip-version-check --no-input $PIP_ARGS -e ".[$extra]"

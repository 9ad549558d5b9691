#!/usr/bin/env bash
# Set up the environment in $VENV from requirements.lock; called by `make env`, which every other target calls.
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/common.sh

: "${VENV:=.venv}" "${PYTHON:=}" "${TORCH:=torch==2.13.0}" "${TORCH_ARGS:=}" "${PIP_ARGS:=}"
LOG=$VENV/setup.log
NEEDED_MB=5000

# Whether a command is a Python that the locked packages have wheels for.
is_usable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null; }
# Whether it can make environments (Debian keeps that in a package of its own).
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# Print the interpreter to use; nothing if there is none, and fail if there is one that cannot make environments.
find_python() {
    local candidate usable=
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3 python}; do
        is_usable "$candidate" || continue
        usable=$candidate
        if has_venv "$candidate"; then
            break
        fi
    done
    printf '%s' "$usable"
}

# The Debian package with the venv module for an interpreter: Debian's own, or of the same version.
venv_package() { "$1" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'; }

choose_python() {
    local python
    python=$(find_python)
    if [[ -z $python && -n $PYTHON ]]; then
        stop "PYTHON=$PYTHON is not a Python 3.11, 3.12 or 3.13" "Name another one:  make PYTHON=/path/to/python3.11"
    elif [[ -z $python ]]; then
        if command -v python3 >/dev/null; then
            say "no Python 3.11, 3.12 or 3.13 was found; python3 is $(python3 --version 2>&1)"
            need_packages "the environment" python3.11 python3.11-venv
        else
            say "no Python was found"
            need_packages "the environment" python3 python3-venv
        fi
        python=$(find_python)
        [[ -n $python ]] || stop "the system's Python is not 3.11, 3.12 or 3.13" \
            "Install one of them, then:  make PYTHON=/path/to/python3.11"
    fi
    if ! has_venv "$python"; then
        need_packages "Python's venv module" "$(venv_package "$python")"
        has_venv "$python" || stop "$python still cannot make environments" "Name another one:  make PYTHON=..."
    fi
    CHOSEN=$python
}

check_space() {
    local free
    free=$(df -Pm . | awk 'NR == 2 { print $4 }')
    ((free >= NEEDED_MB)) || stop "$free MB are free in $PWD; the environment needs $NEEDED_MB MB" "Make room first."
}

if ! { [[ -x $VENV/bin/python ]] && is_usable "$VENV/bin/python" && "$VENV/bin/python" -m pip --version >/dev/null 2>&1; }; then
    choose_python
    check_space
    say "setting up the environment in $VENV with $("$CHOSEN" --version); once, usually 3 to 8 minutes"
    rm -rf "$VENV"
    mkdir -p "$VENV"
    step "1/4 empty environment" "$CHOSEN" -m venv "$VENV"
else
    say "bringing the environment in $VENV up to date"
fi

pip=("$VENV/bin/python" -m pip install --disable-pip-version-check --no-input)
# The words of PIP_ARGS and TORCH_ARGS are options of their own.
# shellcheck disable=SC2206
pip+=($PIP_ARGS)
# shellcheck disable=SC2086
step "2/4 PyTorch ($TORCH)" "${pip[@]}" $TORCH_ARGS "$TORCH"
step "3/4 $(grep -c '^[a-z]' requirements.lock) packages of requirements.lock" "${pip[@]}" --no-deps -r requirements.lock
step "4/4 gen2dft itself" "${pip[@]}" --no-deps --no-build-isolation -e .
step "check that the packages fit together" "$VENV/bin/python" -m pip check

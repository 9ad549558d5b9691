#!/usr/bin/env bash
# Type-check the package as it is installed: mypy does not know that flows/ and launchpad/ belong into gen2dft/, so it
# is run on a tree of links that says so.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
tree=$root/build/types
rm -rf "$tree"
mkdir -p "$tree/gen2dft"
ln -s "$root"/gen2dft/* "$root/flows" "$root/launchpad" "$tree/gen2dft/"
cd "$tree"
"$root/${VENV:-.venv}/bin/python" -m mypy --config-file "$root/pyproject.toml" --cache-dir "$root/.mypy_cache" -p gen2dft

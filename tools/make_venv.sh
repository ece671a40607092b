#!/bin/sh
# Make the virtual environment for the Makefile's chores, unless it is there.
# Usage: make_venv.sh PYTHON VENV [NAMED]     NAMED: the Python in VENV must be of the same version as PYTHON
set -eu
python=$1 venv=$2 named=${3:-}

version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])'; }

if [ -x "$venv/bin/python" ] && [ -e "$venv/bin/pip" ]; then
    [ -n "$named" ] || exit 0
    wanted=$(version "$python") there=$(version "$venv/bin/python")
    [ "$wanted" = "$there" ] && exit 0
    echo "$venv has Python $there, but $python is Python $wanted." >&2
    echo "Choose another environment (make VENV=.venv-$wanted PYTHON=$python ...), or run 'make clean' first." >&2
    exit 1
fi

if ! command -v "$python" >/dev/null 2>&1; then
    echo "There is no $python here. This project needs Python 3.9 or later: make PYTHON=/path/to/python3 ..." >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 9))'; then
    echo "$python is Python $(version "$python"). This project needs Python 3.9 or later: make PYTHON=python3.12 ..." >&2
    exit 1
fi
# Half an environment (an interrupted run, a Python that was removed) would look like a whole one next time.
"$python" -m venv --clear "$venv" || { rm -rf "$venv"; exit 1; }

#!/usr/bin/env bash
# VectraDB beside its peers, in one table: benches/peers/run.sh [--data DIR] [--peers A,B] [--quick] ... ; --help says all, with times.
#
#   run.sh OPTIONS...                     measures; the options are those of run.py
#   run.sh make OUT_DIR ROWS DIM [...]    makes a set of generated vectors (make.py)
#
# Python packages go to a virtual environment that is removed at the end; PEERS_VENV=DIR uses (and first makes) one that stays.
# Python 3.11 is what the pinned versions were tried with; hnswlib compiles, so a C++ compiler is needed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo=$here/../..

case " $* " in
    *" --help "* | *" -h "*) exec python3 -B "$here/run.py" --help ;;
esac

venv=${PEERS_VENV:-}
if [ -z "$venv" ]; then
    venv=$(mktemp -d)
    trap 'rm -rf "$venv"' EXIT
fi
if [ ! -x "$venv/bin/python" ]; then
    python3 -m venv "$venv"
    # One by one: a peer that does not install is a row that says so, and the others are measured.
    while read -r package; do
        "$venv/bin/pip" install --quiet --disable-pip-version-check "$package" >&2 || printf 'not installed: %s\n' "$package" >&2
    done < <(grep -v '^#' "$here/requirements.txt")
fi
python=$venv/bin/python

if [ "${1:-}" = make ]; then
    "$python" "$here/make.py" "${@:2}"
    exit
fi
(cd "$here" && "$python" -B -m unittest -q test_table >&2)
case " $* " in
    *" --vectra "* | *" --vectra="*) given=() ;;
    *)
        (cd "$repo" && cargo build --release --quiet -p vectra >&2)
        given=(--vectra "${CARGO_TARGET_DIR:-$repo/target}/release/vectra")
        ;;
esac
"$python" -B "$here/run.py" "${given[@]}" "$@"

#!/usr/bin/env bash
# All that a GPU is asked, most wanted first, in eight minutes at most; it ends by itself before LIMIT seconds.
#
#     bash benchmarks/gpu_day.sh                        on the GPU, with what `python -m benchmarks.carry` made
#     bash benchmarks/gpu_day.sh --device cpu --quick   does everything run? under three minutes on a CPU
#     bash benchmarks/gpu_day.sh --only "tests sizes"   these parts alone (a part is named after its first name below)
#
# Lines go to $LRSYM_OUT/gpu.jsonl (or $OUT, or out/), logs to logs.tar.gz there, the page to report.md. They are
# brought up to date after every part, so that what is killed has told what it found.
set -u
cd "$(dirname "$0")/.."
DEVICE=cuda QUICK=() ONLY= ATLAS=(sweeps/atlas.toml --workers 4 --pack 240)
while [ $# -gt 0 ]; do
  case $1 in
    --device) DEVICE=$2; shift ;;
    --quick) QUICK=(--quick) ATLAS=(sweeps/demo.toml --workers 2 --pack 12 --set optim.steps=100) ;;
    --only) ONLY=" $2 "; shift ;;
    *) echo "unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
LIMIT=${LRSYM_GPU_SECONDS:-465}
FOLDER=${LRSYM_OUT:-${OUT:-out}}
PYTHON=${PYTHON:-python3}
WORK=$(mktemp -d)
mkdir -p "$FOLDER" "$WORK/lines" "$WORK/logs"
export PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1

unpack() { # what this Python lacks
  "$PYTHON" -c 'import polars, pydantic, beartype, lrsym' 2>/dev/null && return
  mkdir -p "$WORK/site"
  export PYTHONPATH="$WORK/site:$PWD${PYTHONPATH:+:$PYTHONPATH}"
  "$PYTHON" - "$WORK/site" <<'PY'
import glob, sys, tarfile
for name in glob.glob(".carry/*.tar.xz"):
    with tarfile.open(name) as archive:
        archive.extractall(sys.argv[1], filter="data")
PY
  "$PYTHON" -m pip install -q --disable-pip-version-check --no-index --no-deps --no-compile --upgrade \
    --target "$WORK/site" .carry/*.whl
}

keep() { # everything so far
  cat "$WORK"/lines/*.jsonl >"$FOLDER/gpu.jsonl" 2>/dev/null
  tar -czf "$FOLDER/logs.tar.gz" -C "$WORK" logs lines
}

part() { # SECONDS LINES NAME COMMAND...: run it within its time, and what is left; show the end of its log
  local seconds=$1 lines=$2 name=$3 left=$((LIMIT - SECONDS)) before=$SECONDS
  if [ -n "$ONLY" ] && [[ $ONLY != *" $name "* ]]; then return; fi
  shift 3
  if [ "$left" -lt 8 ]; then echo "== $name: no time left"; return; fi
  [ "$seconds" -gt "$left" ] && seconds=$left
  timeout -k 10 "$seconds" "$@" >"$WORK/logs/$name.log" 2>&1
  echo "== $name: rc $?, $((SECONDS - before)) s, $SECONDS s so far"
  tail -n "$lines" "$WORK/logs/$name.log" | cut -c1-300
  keep
}

gpu() { # SECONDS PART...: parts in one process
  local seconds=$1
  shift
  part "$seconds" 3 "$1" "$PYTHON" -m benchmarks.gpu "$@" --device "$DEVICE" --out "$WORK/lines" "${QUICK[@]}"
}

TESTS=("$PYTHON" -m pytest -q -o addopts= -W default -p no:cacheprovider --durations=5 -m gpu tests/test_gpu.py)
[ "$DEVICE" = cuda ] && TESTS+=(-n 4 --dist load)

unpack
[ "$DEVICE" = cuda ] && command -v nvidia-smi >/dev/null && {
  nvidia-smi --query-gpu=timestamp,utilization.gpu,memory.used,clocks.sm,power.draw --format=csv,noheader -lms 1000 \
    >"$WORK/logs/card.csv" 2>&1 &
  CARD=$!
}
part 25 20 machine bash -c 'nvidia-smi -L; ls /dev/nvidia* | tr "\n" " "; nproc; "$0" - <<PY
import sys, numpy, torch, pyarrow, pydantic, polars, lrsym.sweep.driver
print(sys.version.split()[0], *(f"{m.__name__} {m.__version__}" for m in (torch, numpy, pyarrow, pydantic, polars)))
PY' "$PYTHON"
gpu 40 waits ceilings
part 100 14 tests "${TESTS[@]}"
gpu 75 sizes
gpu 40 attention
gpu 40 dropout
gpu 45 around profile
part "${ATLAS_SECONDS:-60}" 6 atlas "$PYTHON" -m lrsym sweep "${ATLAS[@]}" --results "$WORK/atlas" --device "$DEVICE"
[ -d "$WORK/atlas" ] && tar -cf "$FOLDER/atlas.tar" -C "$WORK" atlas
gpu 110 sweeps
gpu 65 textbook
gpu 25 textbook_recorded
gpu 75 jax_steps
gpu 85 textbook_compiled
[ -n "${CARD:-}" ] && kill "$CARD"
"$PYTHON" -m benchmarks.gpu --report "$WORK/lines" >"$FOLDER/report.md" 2>"$WORK/logs/report.log"
keep
echo "== report"
head -c 9000 "$FOLDER/report.md"
echo
echo "== $SECONDS s in all; in $FOLDER: $(ls "$FOLDER" | tr '\n' ' ')"
rm -rf "$WORK"

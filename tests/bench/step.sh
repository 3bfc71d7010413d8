#!/bin/sh
# Seconds and peak memory of a training step, ours and PyTorch's in turns: dense, and pruned by supermasks drawn at
# every time step or once per forward pass.
#
#   sh tests/bench/step.sh [TURNS]
#
# Needs a build in build/. Makes build/torch, a virtual environment with PyTorch from PyPI (some 5 GB: its Linux wheel
# wants NVIDIA's libraries to be imported at all), and looks for PyTorch's best setting first: threads 1 or 2,
# the classifier at every time step as published or once for all, and the allocator's way with large blocks, which
# by itself takes them from the system and gives them back at every use. It is built with MKL, computes in float32
# here, and has no other BLAS to choose.
set -eu
cd "$(dirname "$0")/../.."
turns=${1:-7}
python=build/torch/bin/python
script=tests/bench/updown_step.py
[ -x build/bin/lacuna ] || { echo "step.sh: there is no build/bin/lacuna" >&2 && exit 1; }
if ! "$python" -c "import torch" 2>/dev/null; then
  python3 -m venv build/torch
  build/torch/bin/pip install --quiet torch numpy
fi
"$python" -c "import torch; print('PyTorch', torch.__version__, torch.backends.cpu.get_cpu_capability())"

# The fastest of a few settings of the dense step: $best has the environment, $words the options.
keep="MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=1099511627776"
fastest=999999 best="" words=""
try() { # environment, options
  seconds=$(env $1 "$python" "$script" --steps 5 $2 | awk '{ print $1 }')
  echo "PyTorch, dense: $seconds s with ${1:-its own allocator} $2"
  if awk "BEGIN { exit !($seconds < $fastest) }"; then fastest=$seconds best=$1 words=$2; fi
}
for environment in "" "$keep"; do
  for logits in step all; do try "$environment" "--threads 2 --logits $logits"; done
done
try "$best" "--threads 1"
echo "best: ${best:-its own allocator} $words"

run() { build/bin/lacuna bench step --turns "$turns" --peer "$python" --peer-env "$best" --peer-options "$words" "$@"; }
run
run --prune supermask --draw step --dense
run --prune supermask --draw forward --dense

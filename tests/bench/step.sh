#!/bin/sh
# Seconds and peak memory of a training step, ours and PyTorch's in turns: dense, and pruned by supermasks; for the
# relation transformer also of greedy decoding; or of GoogLeNet, forward, and forward and backward; or a self-critical
# step of Up-Down (scst).
#
#   sh tests/bench/step.sh [TURNS [updown|scst|ort|encoder]]
#
# Needs a build in build/. Makes build/torch, a virtual environment with PyTorch from PyPI (some 5 GB: its Linux wheel
# wants NVIDIA's libraries to be imported at all), and looks for PyTorch's best setting first: threads 1 or 2, as
# published or with what the peer's script offers beyond that, and the allocator's way with large blocks, which
# by itself takes them from the system and gives them back at every use. It is built with MKL, computes in float32
# here, and has no other BLAS to choose.
set -eu
cd "$(dirname "$0")/../.."
turns=${1:-7}
model=${2:-updown}
python=build/torch/bin/python
loss=xent
[ "$model" != scst ] || model=updown loss=scst
script=tests/bench/${model}_step.py
[ -x build/bin/lacuna ] || { echo "step.sh: there is no build/bin/lacuna" >&2 && exit 1; }
[ -f "$script" ] || { echo "step.sh: there is no $script" >&2 && exit 1; }
modules="torch numpy"
[ "$model" != encoder ] || modules="torch numpy torchvision"
if ! "$python" -c "import $(echo "$modules" | tr ' ' ,)" 2>/dev/null; then
  python3 -m venv build/torch
  build/torch/bin/pip install --quiet $modules
fi
"$python" -c "import torch; print('PyTorch', torch.__version__, torch.backends.cpu.get_cpu_capability())"

keep="MALLOC_MMAP_THRESHOLD_=4294967296 MALLOC_TRIM_THRESHOLD_=1099511627776"
case "$model" in
  encoder)
    for what in "" --train; do
      for layout in first last; do
        echo "encoder $what, PyTorch's channels $layout"
        build/bin/lacuna bench encoder $what --model googlenet --turns "$turns" --peer "$python" --peer-env "$keep" \
          --peer-options "--threads 2 --layout $layout"
      done
    done
    exit ;;
  updown) choices="--logits=step --logits=all" ;;
  ort) choices="--repeat=encoder --repeat=memory --attention=fused --repeat=memory,--attention=fused" ;;
esac

# The fastest of a few settings of a kind of work ("" or "--decode 50"): $best has the environment, $words the options.
try() { # environment, options
  seconds=$(env $1 "$python" "$script" --steps 5 $work $2 | awk '{ print $1 }')
  echo "PyTorch, dense${work:+, $work}: $seconds s with ${1:-its own allocator} $2"
  if awk "BEGIN { exit !($seconds < $fastest) }"; then fastest=$seconds best=$1 words=$2; fi
}
search() {
  work=$1 fastest=999999 best="" words=""
  for environment in "" "$keep"; do
    for choice in $choices; do try "$environment" "--threads 2 $(echo "$choice" | tr , ' ')"; done
  done
  try "$best" "$(echo "$words" | sed 's/--threads 2/--threads 1/')"
  echo "best: ${best:-its own allocator} $words"
}
run() { # step or decode, options
  what=$1
  shift
  build/bin/lacuna bench "$what" --model "$model" --turns "$turns" --peer "$python" --peer-env "$best" \
    --peer-options "$words" "$@"
}

if [ "$loss" = scst ]; then
  choices="--pass=single --pass=two,--logits=step --pass=two,--logits=all"
  search "--loss scst --images 5 --captions 15 --time 14"
  run step --loss scst
  exit
fi
search ""
run step
run step --prune supermask --draw step --dense
run step --prune supermask --draw forward --dense
if [ "$model" = ort ]; then
  search "--decode 50"
  run decode
fi

#!/bin/sh
# Seconds of one `lacuna score` of the COCO test split (5,000 captions, 25,010 references, raw text), start and
# JSON included: median and slowest of several runs.
#
#   sh tests/bench/score.sh [RUNS]
#
# Needs the folder ../shared (or $LACUNA_SHARED) and a build in build/.
set -eu
cd "$(dirname "$0")/../.."
data=${LACUNA_SHARED:-../shared}/data/coco-captions
refs=$data/karpathy_test.json
hyps=$data/published/lstm_sparsity0800_cnnft.json
runs=${1:-9}
[ -f "$refs" ] || { echo "score.sh: there is no $refs" >&2 && exit 1; }

build/bin/lacuna score --refs "$refs" --hyps "$hyps"
for _ in $(seq "$runs"); do
  before=$(date +%s%N)
  build/bin/lacuna score --refs "$refs" --hyps "$hyps" >/dev/null
  echo $((($(date +%s%N) - before) / 1000000))
done | sort -n | awk '{ t[NR] = $1 } END {
  printf "%d runs: median %.2f s, slowest %.2f s\n", NR, t[int((NR + 1) / 2)] / 1000, t[NR] / 1000 }'

#!/bin/bash
# bank: start the bank of sketches. main START OUT: prepare, train small, train tiny, all before START + 575 seconds.
cd /tmp/code; export PYTHONPATH=/tmp/code PYTHONUNBUFFERED=1 PYTORCH_CUDA_ALLOC_CONF=expandable_segments:True; mkdir -p /tmp/runs
prep() { OMP_NUM_THREADS=1 python3 -W ignore -m lab.prepare /tmp/pack /tmp/weights /tmp/prep --variants 7 --pseudo 6 "$@"; }
go() { cfg=$1; shift; OMP_NUM_THREADS=4 python3 -W ignore -m lab.loop configs/$cfg.yaml "$@" --pack /tmp/pack --prepared /tmp/prep --weights /tmp/weights --doodle /tmp/doodlenet --out /tmp/runs/$cfg > /tmp/runs/$cfg.txt 2>&1; }
left() { python3 -c "import time; print(round(max($2, ($1 - time.time())/60), 2))"; }
keep() { for f in photo.safetensors sketch.safetensors log.jsonl; do cp /tmp/runs/$1/$f $2/$1-$f; done; }
case $1 in
bank) prep --bank-only ;;
main)
  OMP_NUM_THREADS=4 python3 -W ignore configs/pre.py &
  OMP_NUM_THREADS=2 python3 -W ignore -m lab.decode /tmp/pack /tmp/prep
  while [ ! -f /tmp/prep/bank.npy ]; do sleep 0.2; done
  prep; wait
  go small minutes=$(left "$2 + 385 - 14" 3) steps=100000 ema=0.998 evaluate_every=1200
  keep small $3
  go tiny minutes=$(left "$2 + 572 - 20" 1.5) steps=100000 ema=0.997 evaluate_every=100000 'teachers=[/tmp/runs/small]'
  keep tiny $3; cat /tmp/runs/tiny.txt | tail -2 | cut -c1-500 ;;
esac
tail -n 2 /tmp/runs/small.txt | cut -c1-600

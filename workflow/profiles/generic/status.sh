#!/bin/sh
# State of a job of Slurm in the words that Snakemake's cluster-generic executor understands: running, success, failed.
state=$(squeue --noheader --states=all --format=%T --jobs "$1" 2> /dev/null | head -n 1)
case "$state" in
  COMPLETED) echo success ;;
  FAILED | CANCELLED | TIMEOUT | OUT_OF_MEMORY | NODE_FAIL | BOOT_FAIL | DEADLINE) echo failed ;;
  *) echo running ;; # also when there was no answer: ask again
esac

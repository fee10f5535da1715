#!/bin/sh
# State of a job of Slurm in the words that Snakemake's cluster-generic executor understands: running, success, failed.
answer=$(squeue --noheader --states=all --format=%T --jobs "$1" 2>&1 | head -n 1)
case "$answer" in
  COMPLETED) echo success ;;
  FAILED | CANCELLED | TIMEOUT | OUT_OF_MEMORY | NODE_FAIL | BOOT_FAIL | DEADLINE | PREEMPTED | REVOKED) echo failed ;;
  *"Invalid job id"*) echo failed ;; # ended so long ago that Slurm forgot it: tried again, and restored if it was made
  *) echo running ;; # also when there was no answer: ask again
esac

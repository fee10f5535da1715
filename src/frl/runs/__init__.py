"""Runs as files: digests, the store, training one run, checkpoints, and what a scenario will cost."""

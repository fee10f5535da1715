"""Runs as files: digests, the store, training one run, checkpoints, and what a scenario will cost.

Called, `frl.runs(folder)` reads a folder of finished runs: see :func:`frl.face.reading.runs`.
"""

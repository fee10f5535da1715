"""What decides the numbers of a run: physics, learner, servers, clock, loop. Everything here is in the code digest."""

from frl.training import numerics

NUMERICS_VERSION = 3
"""Raised whenever a change reorders arithmetic, so that CSVs are no longer byte-identical to older ones."""

numerics.set_up()

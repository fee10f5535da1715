"""What decides the numbers of a run: physics, learner, servers, clock, loop. Everything here is in the code digest."""

import os

NUMERICS_VERSION = 2
"""Raised whenever a change reorders arithmetic, so that CSVs are no longer byte-identical to older ones."""

# torch's exp is MKL's, whose last digits depend on who made the processor unless it is told to be the same for all. It
# reads this at its first call, so that torch may have been imported before.
os.environ["MKL_CBWR"] = "COMPATIBLE"

"""Asynchronous federated policy gradients: a reproducible replication of AFedPG and its baselines."""

import os

# torch's exp is MKL's, whose last digits depend on who made the processor unless it is told to be the same for all. It
# reads this at its first call, so that torch may have been imported before.
os.environ["MKL_CBWR"] = "COMPATIBLE"

__version__ = "0.1.0"

"""Asynchronous federated policy gradients: a reproducible replication of AFedPG and its baselines."""

from frl.training import numerics

__version__ = "0.1.0"

numerics.set_up()

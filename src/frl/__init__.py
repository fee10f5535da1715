"""Asynchronous federated policy gradients: a reproducible replication of AFedPG and its baselines."""

__version__ = "0.1.0"

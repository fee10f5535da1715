"""What decides the last digits of a run beside its settings and code."""

from __future__ import annotations

from typing import Any

from numpy.lib.introspect import opt_func_info
from threadpoolctl import threadpool_info

NUMERICS_VERSION = 4
"""Raised whenever a change reorders arithmetic, so that CSVs are no longer byte-identical to older ones."""


def arithmetic() -> dict[str, Any]:
    """The facts of this process that decide how it rounds: BLAS kernels, and numpy's vector instructions for tanh."""
    blas = sorted({str(pool.get("architecture")) for pool in threadpool_info() if pool["user_api"] == "blas"})
    capability = opt_func_info(func_name="^tanh$", signature="float32")["tanh"]["ff"]["current"]
    return {"blas": blas, "cpu_capability": capability}

"""What decides the last digits of a run beside its settings and code; imported before numpy and torch."""

from __future__ import annotations

import os
from typing import Any

MKL_CBWR = "COMPATIBLE"
"""MKL's mode. torch's exp is MKL's, whose last digits depend on who made the processor unless it is told to be the
same for all. MKL reads the variable at its first call, so torch may have been imported before."""


def set_up() -> None:
    """Give MKL its mode, whatever the environment says."""
    os.environ["MKL_CBWR"] = MKL_CBWR


def arithmetic() -> dict[str, Any]:
    """The facts of this process that decide how it rounds: kernels, vector instructions, MKL's mode."""
    import torch
    from threadpoolctl import threadpool_info

    blas = sorted({str(pool.get("architecture")) for pool in threadpool_info() if pool["user_api"] == "blas"})
    capability = torch.backends.cpu.get_cpu_capability()
    return {"blas": blas, "cpu_capability": capability, "mkl_cbwr": os.environ.get("MKL_CBWR")}

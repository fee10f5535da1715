"""Whether a run fits into the memory of the machine that is to train it, asked before it begins."""

from __future__ import annotations

import os
from pathlib import Path

from frl.errors import SpecError
from frl.scenario.feasible import memory_bytes
from frl.spec import RunSpec


def refuse_what_cannot_fit(spec: RunSpec) -> None:
    """Do nothing if the run fits.

    Raises:
        SpecError: if it needs more than there is.
    """
    needed, there = memory_bytes(spec), machine_bytes()
    if needed > there:
        raise SpecError(
            f"{spec.run_id}: needs about {needed / 1e9:,.1f} GB of memory, and {there / 1e9:,.1f} GB are there; "
            "reduce n_agents, sampling, policy.hidden or evaluation.episodes"
        )


def machine_bytes(cgroups: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Memory of this machine, or of the part of it that this process is confined to (Linux: cgroups, version 2)."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    try:
        path = own.read_text(encoding="utf-8").rpartition("::")[2].strip().strip("/")
    except OSError:
        path = ""
    for folder in (cgroups / path, cgroups):
        try:
            limits.append(int((folder / "memory.max").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            continue  # none, or "max"
    return min(limits)

"""AFedNPG: AFedPG's recursion on natural gradients, which each agent solves for on its own batch.

In no paper: the second-order direction that the authors of AFedPG name as future work.
"""

from __future__ import annotations

from frl.training.servers.afedpg import AFedPG
from frl.training.servers.natural import NaturalGradients, NaturalSettings


class AFedNPG(NaturalGradients, AFedPG):
    """Lines 1-5 of AFedPG with x = (F + lambda I)^-1 g in the place of g."""

    class Settings(NaturalSettings, AFedPG.Settings):
        """Settings of AFedNPG."""

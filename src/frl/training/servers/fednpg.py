"""FedNPG: FedPG's rounds on natural gradients, which each agent solves for on its own batch.

After Lan et al., NeurIPS 2023 (FedNPG-ADMM), which solves one system of all agents; here each solves its own, so that a
comparison with AFedNPG isolates asynchrony.
"""

from __future__ import annotations

from frl.training.servers.fedpg import FedPG
from frl.training.servers.natural import NaturalGradients, NaturalSettings


class FedNPG(NaturalGradients, FedPG):
    """FedPG's step along the mean of x = (F + lambda I)^-1 g."""

    class Settings(NaturalSettings, FedPG.Settings):
        """Settings of FedNPG."""

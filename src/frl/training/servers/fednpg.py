"""FedNPG: FedPG's rounds on natural gradients, which each agent solves for on its own batch.

After Lan et al., NeurIPS 2023 (FedNPG-ADMM), which solves one system of all agents; here each solves its own, so that a
comparison with AFedNPG isolates asynchrony.
"""

from __future__ import annotations

from frl.training.servers.base import Array, Sample
from frl.training.servers.fedpg import FedPG
from frl.training.servers.natural import NaturalSettings, natural_gradient


class FedNPG(FedPG):
    """FedPG's step along the mean of x = (F + lambda I)^-1 g."""

    class Settings(NaturalSettings, FedPG.Settings):
        """Settings of FedNPG."""

    @classmethod
    def agent_gradient(cls, sample: Sample, memory: dict[str, Array], settings: Settings) -> Array:
        """Upload x."""
        return natural_gradient(sample, settings)

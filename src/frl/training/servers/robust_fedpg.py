"""FedPG that bears malicious agents: a robust mean for the mean; `fedpg_br` is FedPG-BR's filter."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import Field

from frl.training.servers.aggregators import AggregatorName, aggregate
from frl.training.servers.base import Array
from frl.training.servers.fedpg import FedPG
from frl.training.servers.robust_sums import MedianSums


class RobustFedPG(FedPG):
    """FedPG's rounds with another mean; the normaliser is the median of the agents' own."""

    class Settings(FedPG.Settings):
        """Settings of robust FedPG."""

        defence: AggregatorName = "median"
        """How the N gradients of a round become one."""
        faulty: Annotated[int, Field(ge=0, strict=True)] = 1
        """f, the malicious agents to bear."""

    settings: Settings
    every_upload_once: ClassVar[bool] = False  # a robust mean leaves some out

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.shared = MedianSums(self.shared, self.n_agents)

    def mean(self, gradients: list[Array]) -> Array:
        """The robust one."""
        return aggregate(self.settings.defence, gradients, self.settings.faulty)

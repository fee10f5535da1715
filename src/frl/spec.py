"""The specification of a run: its settings (:mod:`frl.settings`) put together, its checks, paths and seed streams.

A simulated run is a pure function of its :class:`RunSpec`. Many runs at once are a
:class:`frl.scenario.scenario.Scenario`.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from pydantic import Field, SerializeAsAny, ValidationError, model_validator

from frl.errors import explain
from frl.settings import (
    AdversarySpec,
    Count,
    CriticSpec,
    EngineSpec,
    EstimatorSpec,
    EvaluationSpec,
    FleetSpec,
    HeterogeneitySpec,
    LinkSpec,
    NonNegative,
    NormalizerSpec,
    Number,
    PolicySpec,
    SamplingSpec,
    Seed,
    StragglerFleet,
    refuse_unread,
)
from frl.training.codecs.wire import CODECS, CodecSpec, LocalSpec
from frl.training.servers.a3c import A3C
from frl.training.servers.afednpg import AFedNPG
from frl.training.servers.afedpg import AFedPG
from frl.training.servers.async_pg import AsyncPG
from frl.training.servers.base import Server, ServerSettings, Settings
from frl.training.servers.fednpg import FedNPG
from frl.training.servers.fedpg import FedPG
from frl.training.servers.lapg import LAPG
from frl.training.servers.lazy_afedpg import LazyAFedPG
from frl.training.servers.random_skip import RandomSkip
from frl.training.servers.rennala import Rennala
from frl.training.servers.robust_afedpg import RobustAFedPG
from frl.training.servers.robust_fedpg import RobustFedPG

# One line an algorithm: its name in configs, paths and figures, and its server.
SERVERS: dict[str, type[Server]] = {
    "afedpg": AFedPG,
    "fedpg": FedPG,
    "async_pg": AsyncPG,
    "a3c": A3C,
    "lapg": LAPG,
    "random_skip": RandomSkip,
    "lazy_afedpg": LazyAFedPG,
    "afednpg": AFedNPG,
    "fednpg": FedNPG,
    "rennala": Rennala,
    "robust_afedpg": RobustAFedPG,
    "robust_fedpg": RobustFedPG,
}


def gradients_uploaded() -> list[str]:
    """The algorithms whose agents upload their gradient itself."""
    own = {name: [c for c in server.__mro__ if c is not Server] for name, server in SERVERS.items()}
    return [name for name, classes in own.items() if not any("agent_gradient" in vars(c) for c in classes)]


def check_uploads(algorithm: str, codec: CodecSpec | None, local: LocalSpec | None) -> None:
    """Whether what the algorithm's agents upload can be compressed or averaged like this.

    Raises:
        ValueError: if not.
    """
    if local is not None and algorithm not in (same := gradients_uploaded()):
        raise ValueError(f"local: an agent of {algorithm} uploads no mean of gradients; {', '.join(same)} do")
    if codec is None:
        return
    (method,) = (each for each in CODECS if isinstance(codec, each.Settings))
    if not method.unbiased and not SERVERS[algorithm].every_upload_once:
        raise ValueError(
            f"codec.name = {codec.name!r}: an agent adds what its upload lost to its next one, but the server of "
            f"{algorithm} leaves some uploads out or takes them again; allowed is 'qsgd', which is unbiased"
        )
    if method.unbiased and issubclass(SERVERS[algorithm], LAPG):
        raise ValueError(
            f"codec.name = {codec.name!r}: the server of {algorithm} adds up all uploads, and the method's "
            "errors with them, which no later upload corrects; the other methods send later what they lose"
        )


EnvironmentName = Literal["Swimmer", "Hopper", "Walker2d", "Humanoid", "HalfCheetah", "Ant"]
ENVIRONMENTS: tuple[str, ...] = get_args(EnvironmentName)

RUN_ID = "{environment}/{method}/n{n_agents}/seed{seed}"
"""Path of a run below ``results/<scenario>/runs``, without suffix."""


class RunSpec(Settings):
    """One training run, fully resolved."""

    SET_BY_THE_GRID: ClassVar = frozenset({"environment", "algorithm", "method", "n_agents", "seed"})
    """What the grid of a scenario sets cannot be given in its `run`."""

    environment: EnvironmentName
    """MuJoCo task."""
    env_version: Literal["v4", "v5"] = "v4"
    """Gymnasium's version of the task; the paper uses v4."""
    algorithm: str
    """One of the keys of frl.spec.SERVERS."""
    method: str = Field(default="", exclude=True)
    """What the run is filed under; empty means the algorithm's name. No setting: neither dumped nor in the digest."""
    n_agents: Count
    """N."""
    seed: Seed
    """Seed of every stream of this run."""
    steps_per_agent: Count
    """Budget: the run ends when all agents together made N times as many environment steps."""
    sim_seconds: NonNegative = 0.0
    """The run goes on, whatever steps it made, until so much simulated time has passed."""
    stop_at: Number | None = None
    """The run ends at the second of two successive evaluations with at least this mean return; empty: it does not."""
    server: SerializeAsAny[ServerSettings]
    """The algorithm's own settings (see its file in training/servers/)."""
    policy: PolicySpec = PolicySpec()
    estimator: EstimatorSpec = EstimatorSpec()
    critic: CriticSpec = CriticSpec()
    normalizer: NormalizerSpec = NormalizerSpec()
    sampling: SamplingSpec = SamplingSpec()
    heterogeneity: HeterogeneitySpec = HeterogeneitySpec()
    fleet: FleetSpec = StragglerFleet()
    link: LinkSpec = LinkSpec()
    codec: CodecSpec | None = None
    """Compression of the gradients that agents upload; empty: none."""
    downlink: CodecSpec | None = None
    """Compression of the parameters that the server sends, as differences; empty: none."""
    local: LocalSpec | None = None
    """Local steps between two uploads; empty: none."""
    evaluation: EvaluationSpec = EvaluationSpec()
    engine: EngineSpec | None = None
    """Who carries tasks and answers by the wall clock; empty: the run is simulated."""
    adversary: AdversarySpec | None = None
    """Malicious agents; empty means none."""

    @model_validator(mode="before")
    @classmethod
    def _server_settings_of_the_algorithm(cls, data: Any) -> Any:
        if isinstance(data, dict):
            name = data.get("algorithm")
            if name not in SERVERS:
                raise ValueError(f"algorithm = {name!r}: allowed are {', '.join(SERVERS)}")
            data = {key: value for key, value in data.items() if value is not None}  # `critic:` with nothing behind it
            data["method"] = data.get("method") or name
            if isinstance(given := data.get("server", {}), dict):
                try:
                    data["server"] = SERVERS[name].Settings.model_validate(given, strict=True)
                except ValidationError as error:
                    raise ValueError(explain(error, SERVERS[name].Settings, prefix="server.")) from None
        return data

    @model_validator(mode="after")
    def _consistent(self) -> RunSpec:
        if self.estimator.name == "nstep" and self.critic.mode == "none":
            raise ValueError("estimator.name = 'nstep' needs a critic: critic.mode must not be none")
        if self.estimator.name == "gae" and self.critic.mode == "none":
            raise ValueError("estimator.name = 'gae' needs a critic; without one use 'reward_to_go' or 'gpomdp'")
        if self.critic.mode == "none" and self.sampling.trajectories is None:
            raise ValueError(
                "critic.mode = 'none' needs whole episodes (sampling.trajectories): nothing bootstraps a cut"
            )
        if self.estimator.standardize and self.steps_per_upload < 2:
            raise ValueError("estimator.standardize leaves nothing of a task of one step; set it to false")
        check_uploads(self.algorithm, self.codec, self.local)
        independent = self.sampling.trajectories or self.sampling.lanes
        if getattr(self.server, "variance_multiplier", 0) and independent < 2:
            raise ValueError("server.variance_multiplier needs sampling.lanes (or trajectories) of at least 2")
        if self.adversary is not None and self.adversary.number >= self.n_agents:
            raise ValueError(
                f"adversary.number = {self.adversary.number}: must be below n_agents = {self.n_agents}, so that an "
                "honest agent is left"
            )
        return self

    @model_validator(mode="after")
    def _server_reads_its_settings(self) -> RunSpec:
        server = self.server
        if isinstance(server, FedPG.Settings) and server.variant == "plain":
            refuse_unread(server, "server.variant = 'plain'", "momentum", group="server.")
        if isinstance(server, RobustAFedPG.Settings):
            read = {"clip": "radius", "cosine": "cosine"}.get(server.defence, "aggregator")
            others = [key for key in ("radius", "cosine", "aggregator") if key != read]
            refuse_unread(server, f"server.defence = {server.defence!r}", *others, group="server.")
        return self

    @model_validator(mode="after")
    def _consistent_heterogeneity(self) -> RunSpec:
        given = self.heterogeneity
        for name in HeterogeneitySpec.model_fields:
            low, high = getattr(given, name)
            if low > high:
                raise ValueError(f"heterogeneity.{name} = {[low, high]}: the first must not be the larger")
            useless = name in ("gravity", "friction") if self.environment == "Swimmer" else name == "density"
            if useless and (low, high) != (1, 1):
                raise ValueError(f"heterogeneity.{name} has no effect in {self.environment}; leave it at [1, 1]")
        if given.reward_scale != (1, 1) and self.estimator.standardize:
            raise ValueError("heterogeneity.reward_scale is undone by estimator.standardize; set that to false")
        if given.any and self.normalizer.mode == "local":
            raise ValueError(
                "normalizer.mode = 'local': where the agents' environments differ the same parameters would be other "
                "policies for other agents; use federated or none"
            )
        if given.any and self.evaluation.episodes % self.n_agents:
            raise ValueError(
                f"evaluation.episodes = {self.evaluation.episodes} must be a multiple of n_agents = {self.n_agents} "
                "where the agents' environments differ: each plays an equal share"
            )
        return self

    @property
    def run_id(self) -> str:
        """What the run is called in its scenario, and where its files are (:data:`RUN_ID`)."""
        return RUN_ID.format(environment=self.environment, method=self.method, n_agents=self.n_agents, seed=self.seed)

    @property
    def env_steps_budget(self) -> int:
        """Environment steps of all agents together at which the run ends."""
        return self.n_agents * self.steps_per_agent

    @property
    def steps_per_upload(self) -> int:
        """Environment steps of one task (at most, with whole episodes)."""
        sampling, steps = self.sampling, 1 if self.local is None else self.local.steps
        if sampling.trajectories is not None:
            return steps * sampling.trajectories * 1000
        return steps * sampling.lanes * sampling.segment_steps

    def evaluation_grid(self) -> Iterator[int]:
        """Environment steps of all agents together at which the policy is evaluated, without end.

        0, 1, 2, ... uploads an agent, then geometric: the same steps per agent for all runs with tasks of one size.
        """
        uploads = 0
        while True:
            yield uploads * self.steps_per_upload * self.n_agents
            uploads = max(uploads + 1, int(uploads * self.evaluation.ratio))

    @property
    def evaluations(self) -> int:
        """How many there are within the budget, at the start and the end too."""
        before_the_end = itertools.takewhile(lambda steps: steps < self.env_steps_budget, self.evaluation_grid())
        return len(list(before_the_end)) + 1

    @property
    def evaluation_steps_at_most(self) -> int:
        """Environment steps of all evaluations within the budget, if every episode lasts its 1,000 steps."""
        last = self.evaluations - 1
        mean_action = {*range(0, last, self.evaluation.mean_action_every), last}
        return (self.evaluations + len(mean_action)) * self.evaluation.episodes * 1000

    def to_json(self) -> str:
        """Canonical JSON of :meth:`given`, keys sorted: a later setting, empty unless given, changes no digest."""
        return json.dumps(self.given(), sort_keys=True)

    def digest(self, code_digest: str) -> str:
        """Hex SHA-256 of this spec and of the code that runs it (:func:`frl.runs.provenance.code_digest`)."""
        return hashlib.sha256(f"{self.to_json()}\n{code_digest}".encode()).hexdigest()

    def stream(self, *name: str | int) -> np.random.Generator:
        """The random stream of that name: equal for equal (seed, name), whatever N, algorithm or order of use.

        So agent i of seed s draws the same resets and noise for every N (common random numbers).
        """
        words = tuple(int.from_bytes(hashlib.sha256(str(part).encode()).digest()[:4], "big") for part in name)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=words)))

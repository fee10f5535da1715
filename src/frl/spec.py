"""The specification of runs and scenarios: the one place of every setting, default, path and seed stream.

A :class:`Scenario` (one YAML file in ``config/``) resolves to many :class:`RunSpec`, one per
(environment, method, N, seed). A run is a pure function of its RunSpec. Every model is frozen and
refuses unknown keys. The string under a field is its help text (``frl schema`` prints them all).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import numpy as np
import yaml
from pydantic import BaseModel, Field, SerializeAsAny, ValidationError, ValidationInfo, field_validator, model_validator

from frl.claims import Claims
from frl.training.servers.a3c import A3C
from frl.training.servers.afedpg import AFedPG
from frl.training.servers.async_pg import AsyncPG
from frl.training.servers.base import Server, ServerSettings, Settings
from frl.training.servers.fedpg import FedPG
from frl.training.servers.lapg import LAPG
from frl.training.servers.random_skip import RandomSkip

# One line an algorithm: its name in configs, paths and figures, and its server.
SERVERS: dict[str, type[Server]] = {
    "afedpg": AFedPG,
    "fedpg": FedPG,
    "async_pg": AsyncPG,
    "a3c": A3C,
    "lapg": LAPG,
    "random_skip": RandomSkip,
}

EnvironmentName = Literal["Swimmer", "Hopper", "Walker2d", "Humanoid", "HalfCheetah", "Ant"]
ENVIRONMENTS: tuple[str, ...] = get_args(EnvironmentName)

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, strict=True)]  # strict: neither "5" nor true is a count
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]
MethodName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,60}$")]
FigureName = Literal["sample_complexity", "time_complexity", "communication", "variance_multiplier"]


AnySettings = TypeVar("AnySettings", bound=Settings)


class SpecError(ValueError):
    """A scenario or run specification that cannot be used; the message names key, value and what is allowed."""


# --------------------------------------------------------------------------------------------------
# Learner


class PolicySpec(Settings):
    """Gaussian policy: tanh MLP for the mean, state-independent standard deviation."""

    hidden: tuple[Count, ...] = (64, 64)
    """Widths of the hidden layers."""
    log_std_init: Annotated[float, Field(ge=-5, le=2)] = 0.0
    """Initial log standard deviation of every action dimension."""


class EstimatorSpec(Settings):
    """How advantages, and from them the policy gradient, are estimated."""

    name: Literal["reinforce", "gpomdp", "gae", "nstep"] = "gae"
    """reinforce: reward-to-go; gpomdp: weighted by discount^t; gae: Schulman et al. 2016; nstep: A3C's returns."""
    discount: Annotated[float, Field(gt=0, lt=1)] = 0.99
    """Discount factor per environment step."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 0.95
    """Bias-variance trade-off of `gae`; the other estimators ignore it."""
    n_steps: Count = 20
    """Length of the n-step returns of `nstep`; the other estimators ignore it."""
    standardize: bool = True
    """Scale each batch's advantages to mean 0 and standard deviation 1."""
    entropy_coefficient: NonNegative = 0.0
    """Weight of the policy's entropy in the objective (A3C)."""


class CriticSpec(Settings):
    """The value function: one for all agents, one for each, or none."""

    mode: Literal["federated", "local", "none"] = "federated"
    """federated: agents send changes of one shared critic; local: each keeps its own; none: no baseline."""
    hidden: tuple[Count, ...] = (64, 64)
    """Widths of the hidden layers."""
    learning_rate: Positive = 1e-3
    """Adam's step size."""
    epochs: Count = 2
    """Passes over each batch."""
    minibatches: Count = 2
    """Minibatches a pass."""
    value_scale: Positive = 100.0
    """Typical size of a discounted return: the network predicts V / value_scale, which should be of order one."""
    mixing: Annotated[float, Field(gt=0, le=1)] | None = None
    """rho in phi <- phi + rho * delta phi on the server; empty means 1/N."""


class NormalizerSpec(Settings):
    """Running mean and variance of the observations."""

    mode: Literal["federated", "local", "none"] = "federated"
    """federated: agents send sums of new data and share the result; local: each its own; none: raw observations."""
    clip: Positive = 10.0
    """Normalised observations are clipped to [-clip, clip]."""
    freeze_after_steps: Count | None = None
    """Stop updating after this many (counted) environment steps of all agents; empty means never."""


class SamplingSpec(Settings):
    """What one task asks of an agent: `lanes` x `segment_steps` steps, or whole episodes."""

    lanes: Count = 64
    """Environments that an agent steps in lockstep and keeps running across tasks."""
    segment_steps: Count = 32
    """Steps of every lane in one task."""
    trajectories: Count | None = None
    """If set, a task is this many whole episodes instead of lanes x segment_steps."""


Range = tuple[Positive, Positive]


class HeterogeneitySpec(Settings):
    """How the agents' environments differ: each agent draws its factors, log-uniform in [low, high], once."""

    gravity: Range = (1.0, 1.0)
    """Factor of gravity; without effect in Swimmer."""
    friction: Range = (1.0, 1.0)
    """Factor of all friction in contacts; without effect in Swimmer."""
    gear: Range = (1.0, 1.0)
    """Factor of the motors' gear: torque per unit of action."""
    density: Range = (1.0, 1.0)
    """Factor of the medium's density; only Swimmer swims."""
    reset_noise: Range = (1.0, 1.0)
    """Factor of the spread of initial states."""
    reward_scale: Range = (1.0, 1.0)
    """Factor of the rewards that the agent learns from, its weight in the objective; logged returns are without it."""

    @property
    def any(self) -> bool:
        """Whether the agents differ at all."""
        return self != HeterogeneitySpec()


# --------------------------------------------------------------------------------------------------
# Clock


class Fleet(Settings):
    """What all fleets have."""

    seconds_per_1000_steps: Positive = 1.6
    """tau: simulated compute time of 1,000 environment steps."""
    overhead_s: NonNegative = 0.0
    """Simulated time added to each task."""


class ConstantFleet(Fleet):
    """Every agent needs the same time."""

    kind: Literal["constant"] = "constant"


class StragglerFleet(Fleet):
    """(tau, ..., tau, ratio * tau): the last of N > 1 agents is slow. The poster's fleet has ratio 4."""

    kind: Literal["straggler"] = "straggler"
    ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 4.0
    """t_max / t_min."""


class LinearFleet(Fleet):
    """Agent i = 1..N needs i * tau."""

    kind: Literal["linear"] = "linear"


class SqrtFleet(Fleet):
    """Agent i = 1..N needs sqrt(i) * tau."""

    kind: Literal["sqrt"] = "sqrt"


class LognormalFleet(Fleet):
    """Each task takes tau times a lognormal factor of mean 1, drawn anew for every task."""

    kind: Literal["lognormal"] = "lognormal"
    sigma: Positive = 0.5
    """Standard deviation of the factor's logarithm."""


FleetSpec = Annotated[
    ConstantFleet | StragglerFleet | LinearFleet | SqrtFleet | LognormalFleet, Field(discriminator="kind")
]


class LinkSpec(Settings):
    """Communication time of a message = latency + bytes / bandwidth."""

    uplink_bytes_per_s: Positive | None = None
    """Bandwidth from agent to server; empty means infinite."""
    downlink_bytes_per_s: Positive | None = None
    """Bandwidth from server to agent; empty means infinite."""
    latency_s: NonNegative = 0.0
    """Added to every message, either way."""


# --------------------------------------------------------------------------------------------------
# Run


class EvaluationSpec(Settings):
    """Returns of the server's policy, measured outside the sample budget."""

    points: Count = 50
    """Evaluations along a run, at equal distances in environment steps (one more before the first step)."""
    episodes: Count = 10
    """Episodes of the stochastic policy at each point."""
    mean_action_every: Count = 25
    """Every this many points (and at the last) the mean action is evaluated as well."""

    @property
    def env_steps_at_most(self) -> int:
        """Environment steps of all evaluations of a run, if every episode lasts its 1,000 steps."""
        mean_action = {*range(0, self.points, self.mean_action_every), self.points}
        return (self.points + 1 + len(mean_action)) * self.episodes * 1000


class RunSpec(Settings):
    """One training run, fully resolved."""

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
    evaluation: EvaluationSpec = EvaluationSpec()

    @model_validator(mode="before")
    @classmethod
    def _server_settings_of_the_algorithm(cls, data: Any) -> Any:
        if isinstance(data, dict):
            name = data.get("algorithm")
            if name not in SERVERS:
                raise ValueError(f"algorithm = {name!r}: allowed are {', '.join(SERVERS)}")
            data = {**data, "method": data.get("method") or name}
            if isinstance(given := data.get("server", {}), dict):
                try:
                    data = {**data, "server": SERVERS[name].Settings.model_validate(given)}
                except ValidationError as error:
                    raise ValueError(explain(error, SERVERS[name].Settings, prefix="server")) from None
        return data

    @model_validator(mode="after")
    def _consistent(self) -> RunSpec:
        if self.estimator.name == "nstep" and self.critic.mode == "none":
            raise ValueError("estimator.name = 'nstep' needs a critic: critic.mode must be federated or local")
        if self.estimator.name == "gae" and self.critic.mode == "none":
            raise ValueError("estimator.name = 'gae' needs a critic; without one use 'reinforce' or 'gpomdp'")
        if self.critic.mode == "none" and self.sampling.trajectories is None:
            raise ValueError(
                "critic.mode = 'none' needs whole episodes (sampling.trajectories): nothing bootstraps a cut"
            )
        independent = self.sampling.trajectories or self.sampling.lanes
        if getattr(self.server, "variance_multiplier", 0) and independent < 2:
            raise ValueError("server.variance_multiplier needs sampling.lanes (or trajectories) of at least 2")
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
        if given.any and self.evaluation.episodes % self.n_agents:
            raise ValueError(
                f"evaluation.episodes = {self.evaluation.episodes} must be a multiple of n_agents = {self.n_agents} "
                "where the agents' environments differ: each plays an equal share"
            )
        return self

    @property
    def run_id(self) -> str:
        """Path of the run below ``results/<scenario>/runs``, without suffix."""
        return f"{self.environment}/{self.method}/n{self.n_agents}/seed{self.seed}"

    @property
    def env_steps_budget(self) -> int:
        """Environment steps of all agents together at which the run ends."""
        return self.n_agents * self.steps_per_agent

    def to_json(self) -> str:
        """Canonical JSON: every setting, defaults included, keys sorted."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    def digest(self, code_digest: str) -> str:
        """Hex SHA-256 of this spec and of the code that runs it (:func:`frl.provenance.code_digest`)."""
        return hashlib.sha256(f"{self.to_json()}\n{code_digest}".encode()).hexdigest()

    def stream(self, *name: str | int) -> np.random.Generator:
        """The random stream of that name: equal for equal (seed, name), whatever N, algorithm or order of use.

        So agent i of seed s draws the same resets and noise for every N (common random numbers).
        """
        words = tuple(int.from_bytes(hashlib.sha256(str(part).encode()).digest()[:4], "big") for part in name)
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence(self.seed, spawn_key=words)))


# --------------------------------------------------------------------------------------------------
# Scenario


class Method(Settings):
    """One algorithm with its settings, at one or more N; under names of their own one algorithm makes many methods."""

    algorithm: str
    """One of the keys of frl.spec.SERVERS."""
    name: MethodName | None = None
    """What paths, tables and figures call it; empty means the algorithm's name."""
    n_agents: Annotated[tuple[Count, ...], Field(min_length=1)]
    """The values of N to run."""
    server: dict[str, Any] = {}
    """The algorithm's own settings."""
    set: dict[str, Any] = {}
    """A part of a RunSpec, merged over `run` and `server`; overrides win over it."""

    @field_validator("algorithm")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in SERVERS:
            raise ValueError(f"unknown algorithm; allowed are {', '.join(SERVERS)}")
        return name

    @field_validator("name")
    @classmethod
    def _of_no_other_algorithm(cls, name: str | None, info: ValidationInfo) -> str | None:
        algorithm = info.data.get("algorithm", name)
        if name in SERVERS and name != algorithm:
            raise ValueError(f"this is another algorithm than {algorithm!r}; choose another name")
        return name

    @property
    def key(self) -> str:
        """What identifies the method in its scenario: its name, else its algorithm's."""
        return self.name or self.algorithm


class Where(Settings):
    """Which runs an override touches: those that match every list given."""

    environment: tuple[EnvironmentName, ...] | None = None
    method: tuple[str, ...] | None = None
    algorithm: tuple[str, ...] | None = None
    n_agents: tuple[int, ...] | None = None

    def matches(self, environment: str, method: Method, n_agents: int) -> bool:
        """Whether a run of this identity is touched."""
        return (
            (self.environment is None or environment in self.environment)
            and (self.method is None or method.key in self.method)
            and (self.algorithm is None or method.algorithm in self.algorithm)
            and (self.n_agents is None or n_agents in self.n_agents)
        )


class Override(Settings):
    """Settings for some of the runs; later overrides win."""

    where: Where
    set: dict[str, Any]
    """A part of a RunSpec, merged over what came before."""


class Scenario(Settings):
    """A grid of runs and how to look at it: one complete YAML file."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
    """Folder below results/."""
    title: str
    """Heading of the report."""
    tuned: str
    """Where the settings come from, in a sentence that the report prints."""
    environments: Annotated[tuple[EnvironmentName, ...], Field(min_length=1)]
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)]
    thresholds: dict[EnvironmentName, str]
    """For each environment the return whose crossing is timed, with its unit: "100 return"."""
    run: dict[str, Any]
    """The part of a RunSpec common to all runs."""
    overrides: tuple[Override, ...] = ()
    claims: Claims | None = None
    """What to judge: a claims file, by its path from the scenario file. Its content is no setting of any run."""
    figures: dict[FigureName, Annotated[dict[MethodName, str], Field(min_length=1)]] = {}
    """The figures to draw, and for each the methods that it shows, in this order, with their labels; empty means those
    of sample and time complexity, with the methods that belong there."""

    @field_validator("thresholds", mode="before")
    @classmethod
    def _threshold_has_a_unit(cls, thresholds: Any) -> Any:
        for environment, text in thresholds.items() if isinstance(thresholds, dict) else ():
            if not re.fullmatch(r"-?\d+(\.\d+)? return", str(text)):
                raise ValueError(f"{environment}: {text!r} needs a number and the unit, as in '100 return'")
        return thresholds

    @model_validator(mode="after")
    def _every_run_is_valid(self) -> Scenario:
        if missing := [name for name in self.environments if name not in self.thresholds]:
            raise ValueError(f"thresholds: no entry for {', '.join(missing)}")
        algorithms: dict[str, str] = {}
        for method in self.methods:
            if algorithms.setdefault(method.key, method.algorithm) != method.algorithm:
                raise ValueError(f"methods: {method.key!r} names both {algorithms[method.key]} and {method.algorithm}")
        pairs = [f"{m.key}, N = {n}" for m in self.methods for n in m.n_agents]
        for what, values in (("methods", pairs), ("environments", self.environments), ("seeds", self.seeds)):
            if twice := [value for i, value in enumerate(values) if value in values[:i]]:
                hint = "; tell methods of one algorithm apart by `name`" if what == "methods" else ""
                raise ValueError(f"{what}: {twice[0]} is listed twice{hint}")
        self._figures_and_claims_name_what_there_is()
        if self.name == "published":
            raise ValueError("name = 'published': results/published/ is where results are kept; choose another")
        cells = [(environment, m, n) for environment in self.environments for m in self.methods for n in m.n_agents]
        for index, override in enumerate(self.overrides):
            if not any(override.where.matches(*cell) for cell in cells):
                where = override.where.model_dump(exclude_none=True)
                raise ValueError(f"overrides.{index}.where = {where}: touches no run; there are {self._methods()}")
        for environment, method, n_agents in cells:
            self.resolve(environment, method.key, n_agents, self.seeds[0])
        self._figures_compare_what_can_be_compared()
        return self

    def _figures_and_claims_name_what_there_is(self) -> None:
        for figure, labels in self.figures.items():
            if unknown := [name for name in labels if name not in {m.key for m in self.methods}]:
                raise ValueError(f"figures.{figure}.{unknown[0]}: no such method; there are {self._methods()}")
            if figure != "communication" and len(set(labels.values())) < len(labels):
                raise ValueError(f"figures.{figure}: two methods have the same label")
        for claim in self.claims.claims if self.claims else ():
            if claim.environment not in ENVIRONMENTS:
                allowed = ", ".join(ENVIRONMENTS)
                raise ValueError(f"claim {claim.id}: environment = {claim.environment!r}: allowed are {allowed}")

    def _figures_compare_what_can_be_compared(self) -> None:
        """The figure of communication has a row for equal agents and one for unequal ones; a sweep varies one thing."""
        rows = [(self._any(key).heterogeneity, label) for key, label in self.figures.get("communication", {}).items()]
        if twice := [label for i, (kind, label) in enumerate(rows) if (kind, label) in rows[:i]]:
            raise ValueError(f"figures.communication: two methods have the same label, {twice[0]!r}, and equal agents")
        if len({kind for kind, _ in rows if kind.any}) > 1:
            raise ValueError("figures.communication: its agents are unequal in more than one way (heterogeneity)")
        swept = tuple(self.figures.get("variance_multiplier", {}))
        if alien := [key for key in swept if not hasattr(self._any(key).server, "variance_multiplier")]:
            raise ValueError(f"figures.variance_multiplier.{alien[0]}: the method has no variance_multiplier")
        counts = [{n for method in self.methods if method.key == key for n in method.n_agents} for key in swept]
        common = sorted(set.intersection(*counts)) if swept else []
        if swept and (len(swept) == 1 or not common):
            raise ValueError("figures.variance_multiplier: needs two or more methods that have an N in common")
        alike = []
        for key in swept:
            spec = self._any(key, common[0])
            alike.append(spec.model_copy(update={"server": spec.server.model_copy(update={"variance_multiplier": 0})}))
        if other := [spec.method for spec in alike if spec.to_json() != alike[0].to_json()]:
            pair = f"{other[0]} and {alike[0].method}"
            raise ValueError(f"figures.variance_multiplier: {pair} differ in more than server.variance_multiplier")

    def _any(self, key: str, n_agents: int | None = None) -> RunSpec:
        """The settings of a method in the first environment, with its first N if none is given."""
        method = next(method for method in self.methods if method.key == key)
        return self.resolve(self.environments[0], key, n_agents or method.n_agents[0], self.seeds[0])

    def _methods(self) -> str:
        """The methods with their N, in words."""
        return ", ".join(
            f"{m.key} ({'' if m.key == m.algorithm else f'{m.algorithm}, '}N = {', '.join(map(str, m.n_agents))})"
            for m in self.methods
        )

    def resolve(self, environment: str, method: str, n_agents: int, seed: int) -> RunSpec:
        """The RunSpec of one cell of the grid; `method` is the method's key.

        Raises:
            SpecError: if the merged settings are no valid RunSpec; names the run, the key and what is allowed.
        """
        one = next((m for m in self.methods if m.key == method and n_agents in m.n_agents), None)
        if one is None:
            raise SpecError(f"method = {method!r}, n_agents = {n_agents}: scenario {self.name!r} has {self._methods()}")
        settings = merge(merge(self.run, {"server": one.server}), one.set)
        for override in self.overrides:
            if override.where.matches(environment, one, n_agents):
                settings = merge(settings, override.set)
        identity: dict[str, Any] = {
            "environment": environment,
            "algorithm": one.algorithm,
            "method": one.key,
            "n_agents": n_agents,
            "seed": seed,
        }
        if clash := sorted(identity.keys() & settings.keys()):
            raise SpecError(f"run.{clash[0]}: the grid sets this, not `run`, a method's `set` or an override")
        try:
            return RunSpec.model_validate(settings | identity)
        except ValidationError as error:
            where = f"run ({environment}, {method}, N = {n_agents})"
            raise SpecError(explain(error, RunSpec, prefix=where)) from None

    def runs(self) -> Iterator[RunSpec]:
        """Every run of the grid: environments, then methods, then N, then seeds."""
        for environment in self.environments:
            for method in self.methods:
                for n_agents in method.n_agents:
                    first = self.resolve(environment, method.key, n_agents, self.seeds[0])
                    for seed in self.seeds:
                        yield first.model_copy(update={"seed": seed})

    def threshold(self, environment: str) -> float:
        """The return whose crossing is timed in this environment."""
        return float(self.thresholds[environment].split()[0])  # type: ignore[index]


def merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """`base` with `over` merged in, dictionaries key by key (a fleet of another kind replaces the whole fleet)."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        if isinstance(value, dict) and isinstance(old, dict) and value.get("kind", old.get("kind")) == old.get("kind"):
            merged[key] = merge(old, value)
        else:
            merged[key] = value
    return merged


def load_scenario(path: str | Path) -> Scenario:
    """Read one scenario file and the claims file that it names; nothing else is read or merged in.

    Raises:
        SpecError: if a file is missing, no YAML mapping, or not a valid scenario or claims file.
    """
    path = Path(path)
    data = _read_yaml(path, "scenario")
    if (claims := data.get("claims")) is not None:
        if not isinstance(claims, str):
            raise SpecError(f"{path}: claims = {claims!r}: should be the path of a claims file, as in claims.yaml")
        data["claims"] = _validated(path.parent / claims, "claims file", Claims)
    return _validated(path, "scenario", Scenario, data)


def _validated(path: Path, what: str, model: type[AnySettings], data: dict[str, Any] | None = None) -> AnySettings:
    """The file's content as the model, or one message that begins with its path."""
    try:
        return model.model_validate(_read_yaml(path, what) if data is None else data)
    except ValidationError as error:
        raise SpecError(f"{path}: {explain(error, model)}") from None


def _read_yaml(path: Path, what: str) -> dict[str, Any]:
    """A YAML mapping, or one message that begins with its path."""
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=_UniqueKeys)
    except OSError as error:
        raise SpecError(f"{path}: cannot read the {what}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8 text: {error}") from None
    except yaml.YAMLError as error:
        raise SpecError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(data, dict):
        raise SpecError(f"{path}: a {what} is a mapping of keys, got {type(data).__name__}")
    return data


class _UniqueKeys(yaml.SafeLoader):
    """Safe YAML in which a key given twice is an error: the standard loader silently keeps the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if twice := [key for key in keys if keys.count(key) > 1]:
            raise yaml.constructor.ConstructorError(None, None, f"key {twice[0]!r} is given twice", node.start_mark)
        return super().construct_mapping(node, deep=deep)


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """One line for each thing wrong: key = value, and what is allowed."""
    lines = []
    broken = {item["loc"][:i] for item in error.errors() for i in range(len(item["loc"]))}
    for item in error.errors():
        if item["type"] == "too_short" and item["loc"] in broken:
            continue  # empty only because its entries were refused
        key = ".".join([prefix, *map(str, item["loc"])] if prefix else map(str, item["loc"]))
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            message = f"unknown key; allowed here: {', '.join(_allowed_keys(model, item['loc']))}"
        elif item["type"] == "missing":
            message = "required, but not given"
        elif item["type"] == "tuple_type":
            message = "should be a list, as in [1, 2]"
        elif item["type"] in ("union_tag_invalid", "union_tag_not_found"):  # kind of a fleet, test of a claim
            tag = item["ctx"]["discriminator"].strip("'")
            key, item["input"] = f"{key}.{tag}", item["input"].get(tag) if isinstance(item["input"], dict) else None
            allowed = item["ctx"].get("expected_tags", "").replace("'", "")
            message = f"allowed are {allowed}" if allowed else "required, but not given"
        absent = item["type"] in ("missing", "union_tag_not_found")
        nameless = item["type"] == "value_error" and not item["loc"]
        shown = "" if absent or nameless else f" = {item['input']!r}"
        lines.append(f"{key}{shown}: {message}" if key else message)
    return "\n".join(lines)


def _allowed_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Field names of the (nested) model in which the key at the end of `loc` was given."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        if field is None:
            continue
        nested = [m for m in _models_in(field.annotation) if _tag(m) is None or _tag(m) in loc]
        model = nested[0] if nested else model
    # what the grid sets cannot be given in a scenario's `run`
    identity = {"environment", "algorithm", "method", "n_agents", "seed"} if model is RunSpec else set()
    return sorted(model.model_fields.keys() - identity)


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _tag(model: type[BaseModel]) -> str | None:
    """What tells the model from the others of its union: the one value of its `kind` or `test`."""
    field = model.model_fields.get("kind") or model.model_fields.get("test")
    return str(get_args(field.annotation)[0]) if field else None

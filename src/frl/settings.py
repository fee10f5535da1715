"""The settings of a run, group by group: learner, malicious agents, clock, engine, evaluation.

Every model is frozen and refuses unknown keys. The string under a field is its help text (``frl schema`` prints them
all). :class:`frl.spec.RunSpec` puts them together.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from frl.training.servers.base import Settings

# strict: neither "5" nor true is a number, neither "off" nor 0 a flag
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[Number, Field(gt=0)]
NonNegative = Annotated[Number, Field(ge=0)]
Flag = Annotated[bool, Field(strict=True)]
Count = Annotated[int, Field(ge=1, le=10**15, strict=True)]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]


def refuse_unread(settings: Settings, where: str, *keys: str, group: str = "") -> None:
    """Refuse another value than the default of what nothing reads there.

    Args:
        settings: of one group.
        where: which setting is why, and its value.
        keys: what is not read.
        group: of these keys, with a dot, for the message.
    """
    for key in keys:
        value, default = getattr(settings, key), type(settings).model_fields[key].default
        if value != default:
            kept = "leave it out" if default is None else f"leave it at {default!r}"
            raise ValueError(f"{group}{key} = {value!r}: has no effect where {where}; {kept}")


# --------------------------------------------------------------------------------------------------
# Learner


class PolicySpec(Settings):
    """Gaussian policy: tanh MLP for the mean, state-independent standard deviation."""

    hidden: tuple[Count, ...] = (64, 64)
    """Widths of the hidden layers."""
    log_std_init: Annotated[Number, Field(ge=-5, le=2)] = 0.0
    """Initial log standard deviation of every action dimension."""


class EstimatorSpec(Settings):
    """How advantages, and from them the policy gradient, are estimated."""

    name: Literal["reward_to_go", "gpomdp", "gae", "nstep"] = "gae"
    """reward_to_go; gpomdp: the same weighted by discount^t; gae: Schulman et al. 2016; nstep: A3C's returns."""
    discount: Annotated[Number, Field(gt=0, lt=1)] = 0.99
    """Discount factor per environment step."""
    gae_lambda: Annotated[Number, Field(ge=0, le=1)] = 0.95
    """Bias-variance trade-off of `gae`; the other estimators ignore it."""
    n_steps: Count = 20
    """Length of the n-step returns of `nstep`."""
    standardize: Flag = True
    """Scale each batch's advantages to mean 0 and standard deviation 1."""
    entropy_coefficient: NonNegative = 0.0
    """Weight of the policy's entropy in the objective (A3C)."""

    @model_validator(mode="after")
    def _read(self) -> EstimatorSpec:
        if self.name != "nstep":
            refuse_unread(self, f"name = {self.name!r}", "n_steps")
        return self


class CriticSpec(Settings):
    """The value function, each agent's own."""

    mode: Literal["linear", "none"] = "linear"
    """linear: least squares on the agent's recent data, for features of observation and time; none: V = 0."""
    memory: Annotated[Number, Field(ge=0, lt=1)] = 0.8
    """Factor by which the weight of a batch's data shrinks with each batch that follows."""

    @model_validator(mode="after")
    def _read(self) -> CriticSpec:
        if self.mode == "none":
            refuse_unread(self, "mode = 'none'", "memory")
        return self


class NormalizerSpec(Settings):
    """Running mean and variance of the observations."""

    mode: Literal["federated", "local", "none"] = "federated"
    """federated: agents send sums of new data and share the result; local: each its own; none: raw observations."""
    clip: Positive = 10.0
    """Normalised observations are clipped to [-clip, clip]."""
    freeze_after_steps: Count | None = None
    """Stop updating after this many (counted) environment steps of all agents; empty means never."""

    @model_validator(mode="after")
    def _read(self) -> NormalizerSpec:
        if self.mode == "none":
            refuse_unread(self, "mode = 'none'", "clip", "freeze_after_steps")
        return self


class SamplingSpec(Settings):
    """What one task asks of an agent: `lanes` x `segment_steps` steps, or whole episodes."""

    lanes: Count = 64
    """Environments that an agent steps in lockstep and keeps running across tasks."""
    segment_steps: Count = 32
    """Steps of every lane in one task."""
    trajectories: Count | None = None
    """If set, a task is this many whole episodes instead of lanes x segment_steps."""

    @model_validator(mode="after")
    def _read(self) -> SamplingSpec:
        if self.trajectories is not None:
            refuse_unread(self, f"trajectories = {self.trajectories}", "lanes", "segment_steps")
        return self


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
        return any(getattr(self, name) != (1.0, 1.0) for name in type(self).model_fields)


AttackName = Literal["sign_flip", "random_noise", "reward_flip", "alie", "inner_product", "fedpg_attack", "direction"]


class AdversarySpec(Settings):
    """Malicious agents: the first `number` of the run's, which collude."""

    attack: AttackName
    """What they send instead of their answers; each is a class in frl.training.adversaries."""
    number: Count
    """f."""
    strength: Positive | None = None
    """Scale of the attack, whose meaning is the attack's; empty means the literature's."""

    @model_validator(mode="after")
    def _enough_of_them(self) -> AdversarySpec:
        if self.attack in ("alie", "fedpg_attack") and self.number < 2:
            raise ValueError(f"number = {self.number}: {self.attack} compares the gradients of at least 2 colluders")
        if self.attack == "reward_flip" and self.strength is not None:
            raise ValueError(f"strength = {self.strength:g}: reward_flip has none")
        return self


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
    ratio: Annotated[Number, Field(ge=1)] = 4.0
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
    sigma: Annotated[Positive, Field(le=10)] = 0.5
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
# Real time


class EngineSpec(Settings):
    """Who carries tasks and answers by the wall clock; a run without it is simulated."""

    kind: Literal["processes", "ray"]
    """processes: every agent a process of this machine; ray: every agent an actor of Ray, on one machine or many."""
    paced: Flag = True
    """An agent takes at least the time that fleet and link say, and sleeps the rest; false: it is as fast as it can."""
    timeout_s: Positive = 600.0
    """An agent that has not answered a task after so many seconds is taken for dead and started again."""


class EvaluationSpec(Settings):
    """Returns of the server's policy, measured outside the sample budget."""

    ratio: Annotated[Number, Field(gt=1)] = 1.1
    """At first there is an evaluation after each upload per agent, later whenever the steps grow by this factor."""
    episodes: Count = 10
    """Episodes of the stochastic policy at each evaluation."""
    mean_action_every: Count = 25
    """One in this many evaluations, and the last, also measures the policy's mean action."""

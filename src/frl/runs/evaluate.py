"""Episodes of a finished run's last policy, which is in the store: means with intervals, as many as one likes."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

from frl.runs.named import NamedRun
from frl.spec import RunSpec
from frl.theory.cells.spec import Cell
from frl.training import kept
from frl.training.evaluation import Evaluator, Point
from frl.training.heterogeneity import variants
from frl.training.mlp import Float32
from frl.training.normalizer import Normalizer
from frl.training.physics import Float
from frl.training.policy import GaussianPolicy
from frl.training.sampler import Episodes

EPISODES = 100
MAX_EPISODES = 10_000
LEVEL = 0.95


class EvaluateError(ValueError):
    """A policy that cannot be played; the message says why."""


@dataclass(frozen=True)
class Summary:
    """Of one number an episode: its mean with Student's t interval (`LEVEL`), and its standard deviation."""

    mean: float
    sd: float
    low: float
    high: float


@dataclass(frozen=True)
class Evaluation:
    """What the episodes gave; `seed` is that of the evaluation, `returns` are undiscounted, `lengths` in steps."""

    run: str
    seed: int
    mean_action: bool
    episodes: int
    returns: Summary
    lengths: Summary

    def lines(self) -> list[str]:
        """In words, as a table."""
        action = "mean action" if self.mean_action else "stochastic"
        rows = [("return", self.returns), ("episode length", self.lengths)]
        return [
            f"{self.run}: last policy, {action}, evaluation seed {self.seed}",
            f"{'':<14} {'mean':>10} {'sd':>10} {'n':>6}  95 % interval",
            *(
                f"{name:<14} {each.mean:>10.2f} {each.sd:>10.2f} {self.episodes:>6}  [{each.low:.2f}, {each.high:.2f}]"
                for name, each in rows
            ),
        ]

    def facts(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)


def evaluate(run: NamedRun, episodes: int | None = None, seed: int = 0, mean_action: bool = False) -> Evaluation:
    """Play the last policy of a run on episodes that the run did not play.

    Where the agents' environments differ, each agent's plays an equal share, and the mean return weighs it with its
    reward scale, as the run's own evaluations do. The interval is then that of means over one episode an agent.

    Args:
        run: the run.
        episodes: how many; None: `EPISODES`, or a few more where they have to be a multiple of N.
        seed: of starts and noise, 0 or more: together with the run's own.
        mean_action: play the policy's mean action, not a sample.

    Raises:
        EvaluateError: if there is no such number of episodes or seed, or the run has no policy that could be played.
    """
    spec, policy = spec_of(run), last_policy(run)
    weights = _weights(spec)
    share = len(weights)
    episodes = -(-EPISODES // share) * share if episodes is None else episodes
    if episodes % share or not 2 * share <= episodes <= MAX_EPISODES:
        allowed = f"a multiple of {share}, as the agents' environments differ" if share > 1 else "a number of episodes"
        raise EvaluateError(f"--episodes = {episodes}: must be {allowed}, from {2 * share} to {MAX_EPISODES:,}")
    if seed < 0:
        raise EvaluateError(f"--seed = {seed}: must be 0 or more")
    played = play(spec, policy, -1 - seed, episodes, mean_action)  # a run's own points are numbered from 0
    returns, lengths = _summary(played.returns, weights), _summary(played.lengths, np.full(share, 1 / share))
    return Evaluation(str(run.path), seed, mean_action, episodes, returns, lengths)


def play(spec: RunSpec, policy: bytes, point: int, episodes: int, mean_action: bool) -> Episodes:
    """Whole episodes of a kept policy with the streams of an evaluation point of the run, bit for bit as it plays them.

    Raises:
        EvaluateError: if `policy` is no kept policy of `spec`.
    """
    shape, theta, normalizer = unpacked(spec, policy)
    counted = spec.model_copy(update={"evaluation": spec.evaluation.model_copy(update={"episodes": episodes})})
    with threadpool_limits(1):
        return _Player(counted, shape).play(Point(point, theta, normalizer, mean_action))


def unpacked(spec: RunSpec, policy: bytes) -> tuple[GaussianPolicy, Float32, Normalizer]:
    """A kept policy of `spec`: its shape, parameters and normaliser.

    Raises:
        EvaluateError: if `policy` is no kept policy of `spec`.
    """
    try:
        theta, normalizer = kept.from_bytes(policy)
    except ValueError as error:
        raise EvaluateError(str(error)) from None
    shape = kept.make_policy(spec)
    if theta.shape != (shape.size,):
        raise EvaluateError(f"a kept policy of {theta.size} parameters, but the run's have {shape.size}")
    return shape, theta, normalizer


class _Player(Evaluator):
    """An evaluator that gives each episode."""

    def play(self, point: Point) -> Episodes:
        """The episodes of one point, of the mean action if it says so."""
        return self._play([(point, not point.mean_action)])[0]


def spec_of(run: NamedRun) -> RunSpec:
    """What was run.

    Raises:
        EvaluateError: if this version does not have its settings, or it is a cell of the theory lab.
    """
    if (spec := run.spec) is None:
        raise EvaluateError(f"{run.path}: made with settings that this version does not have")
    if isinstance(spec, Cell):
        raise EvaluateError(f"{run.path}: a cell of the theory lab, which trains no policy")
    return spec


def last_policy(run: NamedRun) -> bytes:
    """The run's last policy, from the store.

    Raises:
        EvaluateError: if it has none, or it is not kept.
    """
    if run.meta.get("status") == "diverged":
        raise EvaluateError(f"{run.path}: the run diverged, so it has no policy to play")
    if run.store is None:
        raise EvaluateError(f"{run.path} lies in no results folder; its policy would be in RESULTS/.store")
    if (policy := run.policy()) is None:
        raise EvaluateError(f"{run.path}: its policy is not kept; `frl reproduce {run.path}` makes and keeps it")
    return policy


def _weights(spec: RunSpec) -> Float:
    """Of each episode in a round: (1,), or where the agents' environments differ (N,) by their reward scales."""
    scales = [each.reward_scale for each in variants(spec)] if spec.heterogeneity.any else [1.0]
    return np.array(scales) / sum(scales)


def _summary(values: list[float] | list[int], weights: Float) -> Summary:
    """Episode e belongs to round e // len(weights); rounds are independent and alike, episodes need not be."""
    rounds = np.reshape(values, (-1, len(weights))) @ weights
    mean = float(rounds.mean())
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(rounds) - 1) * rounds.std(ddof=1) / np.sqrt(len(rounds)))
    return Summary(mean, float(np.std(values, ddof=1)), mean - half, mean + half)

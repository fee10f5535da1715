"""How good the critic is at equal server steps: V over the true return, and the share of its variance explained.

A critic that follows the policy too slowly shows here long before the returns tell. Run as

    python -m frl.bench.critics Swimmer --modes average gradients --n-agents 1 8 --server-steps 110 --seeds 1000 1001

prints a CSV with a row for each run. Settings are given as JSON (`--run '{"sampling": {"trajectories": 1}}'`).
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any, get_args

import numpy as np
from threadpoolctl import threadpool_limits

from frl.spec import CriticSpec, RunSpec
from frl.training.agent import Agent
from frl.training.envs import MAKE
from frl.training.episodes import WholeEpisodes
from frl.training.estimators import estimate
from frl.training.loop import Training
from frl.training.physics import Float
from frl.training.sampler import Batch, Play

EPISODES = 16
COLUMNS = ("mode", "n_agents", "seed", "server_steps", "return", "value", "value_over_return", "explained_variance")


def measure(spec: RunSpec, server_steps: int) -> dict[str, object]:
    """Train for so many server steps, then compare V with the discounted returns of fresh episodes of theta_k.

    V is the shared critic's, or the mean over the agents' own of what each says.
    """
    training = Training(spec)
    training.begin()
    while training.server.step < server_steps:
        training.advance()
    batch = _episodes(training)
    true = _discounted(batch, spec.estimator.discount)
    value = np.mean([_value(training, agent, batch) for agent in training.agents.each.values()], axis=0)
    return {
        "mode": spec.critic.mode,
        "n_agents": spec.n_agents,
        "seed": spec.seed,
        "server_steps": server_steps,
        "return": float(np.mean(batch.returns)),
        "value": float(value.mean()),
        "value_over_return": float(value.mean() / true.mean()),
        "explained_variance": float(1 - np.var(true - value) / np.var(true)),
    }


def _episodes(training: Training) -> Batch:
    """Whole episodes of the server's policy, on streams of their own."""
    spec = training.spec
    streams = [spec.stream("critics", lane) for lane in range(EPISODES)]
    sampler = WholeEpisodes(MAKE[spec.environment](spec.env_version, streams), 1, training.policy)
    sampler.begin(Play(0, training.server.parameters, training.normalizer(), spec.stream("critics", "noise")))
    while not (done := sampler.advance()):
        pass
    return done[0][1]


def _discounted(batch: Batch, discount: float) -> Float:
    """The discounted rewards to come, without any critic, (n,).

    Time limits are no part of the tasks: episodes cut by one are taken to go on for ever with the mean reward of their
    second halves.
    """
    zeros, after = np.zeros_like(batch.reward_TB), np.zeros_like(batch.reward_TB)
    cut = batch.truncated_TB[-1] & ~batch.terminated_TB[-1]
    if cut.any():
        after[-1, cut] = batch.reward_TB[len(after) // 2 :, cut].mean() / (1 - discount)
    ends = batch.terminated_TB | batch.truncated_TB
    returns, _ = estimate(
        "reward_to_go", batch.reward_TB, zeros, after, ends, discount=discount, gae_lambda=1, n_steps=1
    )
    return returns[batch.valid_TB]


def _value(training: Training, agent: Agent, batch: Batch) -> Float:
    rows = batch.valid_TB
    value = agent.baseline.value(training.server.shared.critic, batch.observation_TBO[rows], batch.elapsed_TB[rows])
    return value.astype(np.float64)


def specs(arguments: argparse.Namespace) -> Iterator[RunSpec]:
    """One run for each mode, number of agents and seed."""
    given: dict[str, Any] = json.loads(arguments.run)
    for mode in arguments.modes:
        for n_agents in arguments.n_agents:
            for seed in arguments.seeds:
                yield RunSpec.model_validate(
                    {
                        "environment": arguments.environment,
                        "algorithm": "afedpg",
                        "n_agents": n_agents,
                        "seed": seed,
                        "steps_per_agent": 2**31,
                        "evaluation": {"ratio": 1e9, "episodes": 1},
                        **given,
                        "critic": {**given.get("critic", {}), "mode": mode},
                    }
                )


def main(argv: Sequence[str] | None = None) -> None:
    """Print the rows as they come."""
    parser = argparse.ArgumentParser(prog="python -m frl.bench.critics", description=__doc__)
    parser.add_argument("environment")
    modes = [mode for mode in get_args(CriticSpec.model_fields["mode"].annotation) if mode != "none"]
    parser.add_argument("--modes", nargs="+", choices=modes, default=modes)
    parser.add_argument("--n-agents", nargs="+", type=int, default=[1, 8])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1000])
    parser.add_argument("--server-steps", type=int, default=110)
    parser.add_argument("--run", default="{}", help="settings of the runs, as JSON")
    arguments = parser.parse_args(argv)
    rows = csv.DictWriter(sys.stdout, COLUMNS, lineterminator="\n")
    rows.writeheader()
    with threadpool_limits(1):
        for spec in specs(arguments):
            rows.writerow(measure(spec, arguments.server_steps))
            sys.stdout.flush()


if __name__ == "__main__":
    main()

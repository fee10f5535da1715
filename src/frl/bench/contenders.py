"""One trainer in a process of its own: ``python -m frl.bench.contenders NAME ENVIRONMENT``.

After "ready", each line read from standard input makes it train for some thousand environment steps and print how
many they were and the CPU seconds they took. So contenders take turns and cannot disturb each other's timers,
threads or memory. All train 64x64 tanh networks on version v5 of the environment, one thread.

The peers are what their users run: stable-baselines3's A2C with its defaults; REINFORCE with a value function in one
file on Gymnasium's SyncVectorEnv, in CleanRL's style; EnvPool's environments under this project's own learner.
Only ``pip install -e ".[peers]"`` brings them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

CHUNK = 8_192
Contender = Callable[[str], Iterator[int]]


def frl_1(environment: str) -> Iterator[int]:
    """This project: AFedPG with one agent, an upload is one whole trajectory."""
    return _frl(environment, 1)


def frl_64(environment: str) -> Iterator[int]:
    """This project: AFedPG with 64 agents, an upload is one whole trajectory."""
    return _frl(environment, 64)


def frl_64x32(environment: str) -> Iterator[int]:
    """This project: AFedPG with one agent of 64 lanes x 32 steps."""
    return _frl(environment, 1, sampling={"lanes": 64, "segment_steps": 32})


def frl_16x64(environment: str) -> Iterator[int]:
    """This project: AFedPG with one agent of 16 lanes x 64 steps."""
    return _frl(environment, 1, sampling={"lanes": 16, "segment_steps": 64})


def _frl(environment: str, n_agents: int, **settings: Any) -> Iterator[int]:
    from frl.bench.limit import train, trainer

    training = trainer(environment, n_agents, env_version="v5", **settings)
    while True:
        yield train(training, CHUNK)[0]


def sb3_a2c(environment: str) -> Iterator[int]:
    """stable-baselines3's A2C with its defaults: one environment, 5 steps a batch."""
    from stable_baselines3 import A2C

    model = A2C("MlpPolicy", f"{environment}-v5", device="cpu", seed=0)
    while True:
        before = model.num_timesteps
        model.learn(2_000, reset_num_timesteps=False)
        yield model.num_timesteps - before


def sb3_a2c_16x64(environment: str) -> Iterator[int]:
    """stable-baselines3's A2C with 16 environments and 64 steps a batch, else defaults."""
    from stable_baselines3 import A2C
    from stable_baselines3.common.env_util import make_vec_env

    model = A2C("MlpPolicy", make_vec_env(f"{environment}-v5", 16, seed=0), n_steps=64, device="cpu", seed=0)
    while True:
        before = model.num_timesteps
        model.learn(2_048, reset_num_timesteps=False)
        yield model.num_timesteps - before


def cleanrl_reinforce(environment: str) -> Iterator[int]:
    """REINFORCE with a value function on 16 Gymnasium environments under CleanRL's wrappers, 64 steps a batch."""
    import gymnasium
    from gymnasium import wrappers

    def make() -> Any:
        env: Any = wrappers.RecordEpisodeStatistics(gymnasium.make(f"{environment}-v5"))
        env = wrappers.NormalizeObservation(wrappers.ClipAction(env))
        env = wrappers.TransformObservation(env, lambda seen: np.clip(seen, -10, 10), env.observation_space)
        return wrappers.TransformReward(wrappers.NormalizeReward(env), lambda reward: np.clip(float(reward), -10, 10))

    return _reinforce(gymnasium.vector.SyncVectorEnv([make] * 16))


def bare_reinforce(environment: str) -> Iterator[int]:
    """The same without any wrapper: no normalisation, no episode statistics."""
    import gymnasium

    return _reinforce(gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make(f"{environment}-v5")] * 16))


def _reinforce(envs: Any) -> Iterator[int]:
    from torch import nn

    steps, discount = 64, 0.99
    normal: Any = torch.distributions.Normal
    observations, actions = envs.single_observation_space.shape[0], envs.single_action_space.shape[0]

    def network(outputs: int) -> nn.Module:
        sizes = (nn.Linear(observations, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, outputs))
        return nn.Sequential(*sizes)

    actor, critic, log_std = network(actions), network(1), nn.Parameter(torch.zeros(actions))
    optimizer = torch.optim.Adam([*actor.parameters(), *critic.parameters(), log_std], lr=3e-4)
    observation = torch.as_tensor(envs.reset(seed=0)[0], dtype=torch.float32)
    low, high = envs.single_action_space.low, envs.single_action_space.high
    while True:
        rows = []
        for _ in range(steps):
            with torch.no_grad():
                action = normal(actor(observation), log_std.exp()).sample()
            after, reward, terminated, truncated, _ = envs.step(np.clip(action.numpy(), low, high))
            done = torch.as_tensor(np.logical_or(terminated, truncated), dtype=torch.float32)
            rows.append((observation, action, torch.as_tensor(reward, dtype=torch.float32), done))
            observation = torch.as_tensor(after, dtype=torch.float32)
        seen, taken, rewards, dones = (torch.stack(column) for column in zip(*rows, strict=True))
        with torch.no_grad():
            value = critic(observation)[:, 0]
        returns = torch.zeros_like(rewards)
        for t in reversed(range(steps)):
            value = rewards[t] + discount * (1 - dones[t]) * value
            returns[t] = value
        estimate = critic(seen)[..., 0]
        log_prob = normal(actor(seen), log_std.exp()).log_prob(taken).sum(-1)
        loss = -(log_prob * (returns - estimate.detach())).mean() + 0.5 * (returns - estimate).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        yield envs.num_envs * steps


def envpool_frl(environment: str) -> Iterator[int]:
    """EnvPool, 64 environments on one thread, under this project's policy, learner and server; 32 steps a batch."""
    import envpool

    from frl.bench.limit import trainer
    from frl.training.mlp import Float32
    from frl.training.sampler import Batch, Ensemble

    lanes, steps = 64, 32
    training = trainer(environment, 1, env_version="v5", sampling={"lanes": lanes, "segment_steps": steps})
    envs = envpool.make_gymnasium(f"{environment}-v5", num_envs=lanes, num_threads=1, seed=0)
    agent, policy = training.agents.each[0], training.policy
    low, high = envs.action_space.low, envs.action_space.high
    raw: Float32 = envs.reset()[0].astype(np.float32)
    (task,) = training.server.start()
    ensemble = Ensemble(policy, 1, lanes)
    while True:
        normalizer = agent.normalizer(task)
        ensemble.put(0, task.parameters, normalizer)
        columns: list[tuple[Any, ...]] = []
        for _ in range(steps):
            action = ensemble.act(0, raw, agent.noise.standard_normal((lanes, policy.action_size), np.float32))
            after, reward, terminated, truncated, info = envs.step(np.clip(action, low, high))
            columns.append((raw, action, reward, terminated, truncated, info["elapsed_step"]))
            raw = after.astype(np.float32)
        seen, action, reward, terminated, truncated, elapsed = map(np.stack, zip(*columns, strict=True))
        batch = Batch(
            raw_TBO=seen,
            observation_TBO=normalizer(seen),
            action_TBA=action,
            reward_TB=reward,
            terminated_TB=terminated,
            truncated_TB=truncated,
            elapsed_TB=elapsed,
            valid_TB=np.ones((steps, lanes), bool),
            last_BO=normalizer(raw),
            truncations=[],
            returns=[],
        )
        (task,) = training.server.receive(agent.learn(task, batch).update)
        yield lanes * steps


CONTENDERS: dict[str, Contender] = {
    each.__name__: each
    for each in (
        frl_1,
        frl_64,
        frl_64x32,
        frl_16x64,
        sb3_a2c,
        sb3_a2c_16x64,
        cleanrl_reinforce,
        bare_reinforce,
        envpool_frl,
    )
}


def main(name: str, environment: str) -> None:
    """Serve turns until standard input ends."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        chunks = CONTENDERS[name](environment)
        for _ in range(3):
            next(chunks)
        print("ready", flush=True)
        for _ in sys.stdin:
            begun, steps = time.process_time(), 0
            while steps < CHUNK and time.process_time() - begun < 2:
                steps += next(chunks)
            print(steps, time.process_time() - begun, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

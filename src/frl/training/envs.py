"""Gymnasium's MuJoCo locomotion tasks, v4 and v5, as array functions over lanes.

Observation, reward and termination are Gymnasium 1.4.0's with its default arguments; equality step by step is
tested in tests/contract/test_environments.py. Differences of form only: actions and results carry a leading lane
axis, an episode's end is reported and the caller resets, and each lane has a stream of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from frl.training.heterogeneity import Variant
from frl.training.physics import Float, Physics

Bool = NDArray[np.bool_]
Index = NDArray[np.intp]
Lanes = Index | slice  # a slice makes the rows below views instead of copies
_ALL = slice(None)

MAX_EPISODE_STEPS = 1000


class Environment:
    """B lanes of one task.

    Args:
        version: "v4" or "v5".
        streams: one random generator per lane, for its resets; B = len(streams).
        first_limits: length after which the first episode of each lane is cut, as a truncation, (B,) of 1..1000.
            Staggered lanes: without it every batch of a task that never terminates would see the same slice of
            the episode.
        variants: what each lane's physics and resets are multiplied by, (B,); none means Gymnasium's environment.

    Attributes:
        elapsed: (B,) steps since each lane's last reset.
        observation_size, action_size: O and A.
        action_low, action_high: (A,) bounds of the controls.
    """

    xml: ClassVar[str]
    frame_skip: ClassVar[int]
    reset_noise: ClassVar[float]
    gaussian_velocity_noise: ClassVar[bool] = False
    ctrl_cost: ClassVar[float]
    skipped_positions: ClassVar[int] = 1
    fields: tuple[str, ...] = ()
    contact_forces: bool = False

    def __init__(
        self,
        version: str,
        streams: Sequence[np.random.Generator],
        first_limits: Sequence[int] | None = None,
        variants: Sequence[Variant] | None = None,
    ):
        self.version = version
        self.streams = list(streams)
        lanes = len(self.streams)
        self.configure()
        self.physics = Physics(self.xml, lanes, self.frame_skip, self.fields, self.contact_forces, variants)
        factors = [1.0] * lanes if variants is None else [variant.reset_noise for variant in variants]
        self.reset_noises = [self.reset_noise * factor for factor in factors]
        model = self.physics.model
        self.init_qpos: Float = model.qpos0.copy()
        self.action_low, self.action_high = model.actuator_ctrlrange.T.copy()
        self.action_size = int(model.nu)
        self.elapsed = np.zeros(lanes, dtype=np.int64)
        self.limit = np.full(lanes, MAX_EPISODE_STEPS, dtype=np.int64)
        self.all_lanes: Index = np.arange(lanes)
        self.always = np.ones(lanes, dtype=bool)
        self.observation_size = self.reset(self.all_lanes).shape[1]
        if first_limits is not None:
            self.limit[:] = first_limits

    def configure(self) -> None:
        """Set what depends on the version; called once, before the physics is made."""

    def reset(self, lanes: Index) -> Float:
        """Start new episodes in `lanes`; their first observations, (len(lanes), O)."""
        for lane in lanes:
            stream = self.streams[lane]
            noise = self.reset_noises[lane]
            low, high = -noise, noise
            qpos = self.init_qpos + stream.uniform(low, high, self.init_qpos.size)
            nv = self.physics.model.nv
            gaussian = self.gaussian_velocity_noise
            qvel = noise * stream.standard_normal(nv) if gaussian else stream.uniform(low, high, nv)
            self.physics.reset(lane, qpos, qvel)
        self.elapsed[lanes] = 0
        self.limit[lanes] = MAX_EPISODE_STEPS
        return self.observe(lanes)

    def step(self, action: Float, lanes: Lanes = _ALL) -> tuple[Float, Float, Bool, Bool]:
        """Advance `lanes` (default: all) under `action` (L, A), taken as is: MuJoCo clamps the controls.

        Returns:
            observation (L, O), reward (L,), terminated (L,), truncated (L,). Lanes that ended must be reset
            by the caller before their next step.
        """
        before = self.position(lanes).copy()  # a view of what is about to change
        self.physics.ctrl[lanes] = action
        self.physics.step(self.all_lanes[lanes].tolist())
        self.elapsed[lanes] += 1
        velocity = (self.position(lanes) - before) / self.physics.dt
        healthy = self.healthy(lanes)
        reward = self.reward(velocity, healthy, action, lanes)
        return self.observe(lanes), reward, ~healthy, self.elapsed[lanes] >= self.limit[lanes]

    def observe(self, lanes: Lanes) -> Float:
        """Observations, (L, O)."""
        return self.physics.motion[lanes, self.skipped_positions :].copy()

    def position(self, lanes: Lanes) -> Float:
        """The x position whose change is rewarded, (L,)."""
        return self.physics.qpos[lanes, 0]

    def healthy(self, lanes: Lanes) -> Bool:
        """Whether the episode goes on, (L,)."""
        return self.always[lanes]

    def reward(self, velocity: Float, healthy: Bool, action: Float, lanes: Lanes) -> Float:
        """Reward of the step just made, (L,)."""
        return velocity - self.control_cost(action)

    def control_cost(self, action: Float) -> Float:
        """Weight times squared action, (L,)."""
        cost: Float = self.ctrl_cost * np.add.reduce(np.square(action), axis=1)
        return cost

    def healthy_bonus(self, healthy: Bool) -> Float | float:
        """v4 pays for the terminal step too, v5 does not."""
        return 1.0 if self.version == "v4" else healthy.astype(np.float64)

    def save(self) -> dict[str, Any]:
        """All that a later :meth:`restore` needs to continue bit for bit: physics, counters and streams."""
        return {
            "physics": self.physics.save(),
            "elapsed": self.elapsed.copy(),
            "limit": self.limit.copy(),
            "streams": [stream.bit_generator.state for stream in self.streams],
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Back to a saved moment."""
        self.physics.restore(saved["physics"])
        self.elapsed[:] = saved["elapsed"]
        self.limit[:] = saved["limit"]
        for stream, state in zip(self.streams, saved["streams"], strict=True):
            stream.bit_generator.state = state


class Swimmer(Environment):
    """Three links in a fluid, 2 motors; never terminates."""

    xml, frame_skip, reset_noise, ctrl_cost, skipped_positions = "swimmer.xml", 4, 0.1, 1e-4, 2


class HalfCheetah(Environment):
    """Planar runner, 6 motors; never terminates."""

    xml, frame_skip, reset_noise, ctrl_cost = "half_cheetah.xml", 5, 0.1, 0.1
    gaussian_velocity_noise = True


class Hopper(Environment):
    """Planar one-legged hopper, 3 motors; terminates when it falls."""

    xml, frame_skip, reset_noise, ctrl_cost = "hopper.xml", 4, 5e-3, 1e-3

    def observe(self, lanes: Lanes) -> Float:
        """Positions without x, velocities clipped to [-10, 10]."""
        observation = super().observe(lanes)
        velocity = observation[:, -self.physics.model.nv :]
        np.minimum(velocity, 10, out=velocity)
        np.maximum(velocity, -10, out=velocity)
        return observation

    def healthy(self, lanes: Lanes) -> Bool:
        """Height above 0.7, angle within 0.2, every other state within 100."""
        state = self.physics.motion[lanes]
        bounded: Bool = np.logical_and.reduce(np.abs(state[:, 2:]) < 100, axis=1)
        return bounded & (state[:, 1] > 0.7) & (np.abs(state[:, 2]) < 0.2)

    def reward(self, velocity: Float, healthy: Bool, action: Float, lanes: Lanes) -> Float:
        """Forward velocity plus healthy bonus minus control cost."""
        return velocity + self.healthy_bonus(healthy) - self.control_cost(action)


class Walker2d(Hopper):
    """Planar two-legged walker, 6 motors; terminates when it falls."""

    xml = "walker2d.xml"

    def configure(self) -> None:
        """v5 corrected the friction of one foot."""
        if self.version == "v5":
            self.xml = "walker2d_v5.xml"  # type: ignore[misc]

    def healthy(self, lanes: Lanes) -> Bool:
        """Height within (0.8, 2), angle within 1."""
        qpos = self.physics.qpos[lanes]
        return (qpos[:, 1] > 0.8) & (qpos[:, 1] < 2.0) & (np.abs(qpos[:, 2]) < 1.0)


class Ant(Environment):
    """Four-legged robot, 8 motors; terminates when it leaves the healthy height. v5 observes contact forces."""

    xml, frame_skip, reset_noise, ctrl_cost, skipped_positions = "ant.xml", 5, 0.1, 0.5, 2
    gaussian_velocity_noise = True

    def configure(self) -> None:
        """v5 adds contact forces to observation and cost."""
        self.contact_forces = self.version == "v5"
        self.fields = ("xpos", "cfrc_ext") if self.contact_forces else ("xpos",)

    def position(self, lanes: Lanes) -> Float:
        """x of the torso (body 1) as of the last internal Runge-Kutta stage, which is what Gymnasium reads."""
        return self.physics.derived["xpos"][lanes, 3]

    def observe(self, lanes: Lanes) -> Float:
        """v5 appends the clipped contact forces of all bodies but the world."""
        observation = super().observe(lanes)
        if not self.contact_forces:
            return observation
        forces = np.clip(self.physics.derived["cfrc_ext"][lanes, 6:], -1, 1)
        return np.concatenate((observation, forces), axis=1)

    def healthy(self, lanes: Lanes) -> Bool:
        """Finite state, torso height within [0.2, 1]."""
        qpos, qvel = self.physics.qpos[lanes], self.physics.qvel[lanes]
        finite = np.isfinite(qpos).all(axis=1) & np.isfinite(qvel).all(axis=1)
        return finite & (qpos[:, 2] >= 0.2) & (qpos[:, 2] <= 1.0)

    def reward(self, velocity: Float, healthy: Bool, action: Float, lanes: Lanes) -> Float:
        """Forward velocity plus healthy bonus minus control and (v5) contact cost."""
        cost = self.control_cost(action)
        if self.contact_forces:
            forces = np.clip(self.physics.derived["cfrc_ext"][lanes], -1, 1)
            cost = cost + 5e-4 * np.square(forces).sum(axis=1)
        return velocity + self.healthy_bonus(healthy) - cost


class Humanoid(Environment):
    """17 motors; terminates when it falls. Observes inertias, velocities and forces of all bodies."""

    xml, frame_skip, reset_noise, ctrl_cost, skipped_positions = "humanoid.xml", 5, 1e-2, 0.1, 2
    fields = ("xipos", "cinert", "cvel", "qfrc_actuator", "cfrc_ext")
    contact_forces = True

    def position(self, lanes: Lanes) -> Float:
        """x of the centre of mass."""
        mass = self.physics.model.body_mass
        xipos = self.physics.derived["xipos"][lanes].reshape(-1, mass.size, 3)
        centre: Float = np.einsum("b,lbj->lj", mass, xipos) / mass.sum()
        return centre[:, 0]

    def observe(self, lanes: Lanes) -> Float:
        """v5 drops the entries of the world body and of the unactuated root."""
        derived = self.physics.derived
        skip = (10, 6, 6, 6) if self.version == "v5" else (0, 0, 0, 0)
        names = ("cinert", "cvel", "qfrc_actuator", "cfrc_ext")
        parts = [derived[name][lanes, start:] for name, start in zip(names, skip, strict=True)]
        return np.concatenate((super().observe(lanes), *parts), axis=1)

    def healthy(self, lanes: Lanes) -> Bool:
        """Torso height within (1, 2)."""
        height = self.physics.qpos[lanes, 2]
        return (height > 1.0) & (height < 2.0)

    def reward(self, velocity: Float, healthy: Bool, action: Float, lanes: Lanes) -> Float:
        """Forward velocity plus healthy bonus minus control and (v5) contact cost."""
        cost = self.control_cost(action)
        if self.version == "v5":
            forces = self.physics.derived["cfrc_ext"][lanes]
            cost = cost + np.minimum(5e-7 * np.square(forces).sum(axis=1), 10.0)
        return 1.25 * velocity + 5.0 * self.healthy_bonus(healthy) - cost


MAKE: dict[str, Callable[..., Environment]] = {
    "Swimmer": Swimmer,
    "Hopper": Hopper,
    "Walker2d": Walker2d,
    "Humanoid": Humanoid,
    "HalfCheetah": HalfCheetah,
    "Ant": Ant,
}

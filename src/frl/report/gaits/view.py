"""How each task is looked at, and where its robot's parts are."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from frl.training.envs import MAKE
from frl.training.physics import Float, model_path

WIDTH, HEIGHT = 320, 200
"""Pixels of a picture without its caption."""


@dataclass(frozen=True)
class View:
    """A camera that goes along with the robot's centre of mass, a metre of the picture being a metre everywhere.

    Attributes:
        width: metres from the left edge to the right one.
        height: metres above the ground of the picture's middle; None looks down from above.
        speed: how many times as fast as it is the robot is shown.
    """

    width: float
    height: float | None
    speed: float = 1.0


VIEWS = {
    "Swimmer": View(5.5, None, 4.0),
    "Hopper": View(3.6, 0.85),
    "Walker2d": View(3.6, 0.85),
    "Humanoid": View(3.6, 0.85),
    "HalfCheetah": View(3.6, 0.7),
    "Ant": View(4.2, 0.8),
}


class Robot:
    """The task's robot, moved from place to place."""

    def __init__(self, task: str, version: str):
        env = MAKE[task](version, [np.random.default_rng(0)])
        self.view = VIEWS[task]
        self.model = mujoco.MjModel.from_xml_path(str(model_path(env.xml)))
        self.data = mujoco.MjData(self.model)
        plane = int(mujoco.mjtGeom.mjGEOM_PLANE)
        self.parts = [geom for geom in range(self.model.ngeom) if self.model.geom_type[geom] != plane]

    def place(self, qpos: Float) -> None:
        """Put the robot there."""
        self.data.qpos[:] = qpos
        mujoco.mj_forward(self.model, self.data)

    def look_at(self) -> Float:
        """The middle of the picture, (3,)."""
        x, y, _ = self.data.subtree_com[0]
        return np.array((x, y, 0.0) if self.view.height is None else (x, y, self.view.height))

    def segments(self) -> Float:
        """Both ends of each part's axis, (parts, 2, 3): of a capsule the middles of its caps, of a sphere its own."""
        capsule = int(mujoco.mjtGeom.mjGEOM_CAPSULE)
        half = np.where(self.model.geom_type[self.parts] == capsule, self.model.geom_size[self.parts, 1], 0.0)
        axis = self.data.geom_xmat[self.parts].reshape(-1, 3, 3)[:, :, 2] * half[:, None]
        middle = self.data.geom_xpos[self.parts]
        return np.stack((middle - axis, middle + axis), axis=1)

    def thickness(self) -> Float:
        """Of each part, in metres, (parts,)."""
        thickness: Float = 2 * self.model.geom_size[self.parts, 0]
        return thickness

"""The robot as MuJoCo's own renderer shows it, without a display: OpenGL in software through OSMesa."""

from __future__ import annotations

import ctypes.util
import os
from typing import Any

import mujoco
import numpy as np
from PIL import Image

from frl.report.gaits.view import HEIGHT, WIDTH, Robot

OVERSAMPLED = 2
"""Pixels of the renderer a pixel of the picture, either way; its offscreen buffer has 640 x 480."""


def available() -> bool:
    """Whether OSMesa is here, and PyOpenGL, which takes one platform a process, is not told to use another."""
    free = os.environ.get("PYOPENGL_PLATFORM", "osmesa").lower() == "osmesa"
    return free and ctypes.util.find_library("OSMesa") is not None


class OpenGL:
    """Draws a robot where it is; :meth:`close` frees the context."""

    def __init__(self, robot: Robot):
        from mujoco.osmesa import GLContext  # a library of the system, which is loaded with it

        self.robot = robot
        self.size = mujoco.MjrRect(0, 0, WIDTH * OVERSAMPLED, HEIGHT * OVERSAMPLED)
        self.gl: Any = GLContext(self.size.width, self.size.height)
        self.gl.make_current()
        self.scene = mujoco.MjvScene(robot.model, maxgeom=1000)
        self.scene.flags[mujoco.mjtRndFlag.mjRND_REFLECTION] = 0
        _soften(robot.model)
        self.context = mujoco.MjrContext(robot.model, mujoco.mjtFontScale.mjFONTSCALE_100)
        mujoco.mjr_setBuffer(mujoco.mjtFramebuffer.mjFB_OFFSCREEN, self.context)
        self.camera = mujoco.MjvCamera()
        self.camera.azimuth, self.camera.elevation = (90, -90) if robot.view.height is None else (90, -8)
        field = np.radians(robot.model.vis.global_.fovy) / 2
        self.camera.distance = robot.view.width * HEIGHT / WIDTH / 2 / np.tan(field)

    def paint(self) -> Image.Image:
        """The picture now, WIDTH x HEIGHT."""
        robot, every = self.robot, mujoco.mjtCatBit.mjCAT_ALL
        self.camera.lookat[:] = robot.look_at()
        mujoco.mjv_updateScene(robot.model, robot.data, mujoco.MjvOption(), None, self.camera, every, self.scene)
        pixels = np.empty((self.size.height, self.size.width, 3), np.uint8)
        mujoco.mjr_render(self.size, self.scene, self.context)
        mujoco.mjr_readPixels(pixels, None, self.size, self.context)
        return Image.fromarray(pixels[::-1]).resize((WIDTH, HEIGHT), Image.Resampling.BOX)

    def close(self) -> None:
        """Free what OpenGL holds."""
        self.context.free()
        self.gl.free()


def _soften(model: Any) -> None:
    """Make the floor's squares, black and white in Gymnasium's models, pale, and the light above the camera weaker."""
    light = model.vis.headlight
    light.ambient[:], light.diffuse[:], light.specular[:] = 0.3, 0.4, 0.0
    for texture in np.flatnonzero(model.tex_type == int(mujoco.mjtTexture.mjTEXTURE_2D)):
        start = int(model.tex_adr[texture])
        size = int(model.tex_width[texture] * model.tex_height[texture] * model.tex_nchannel[texture])
        model.tex_data[start : start + size] = 110 + 0.4 * model.tex_data[start : start + size]

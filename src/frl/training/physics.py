"""MuJoCo lanes: many simulations over one MjData, their state rows swapped in and out.

One MjData stays in the cache where one per lane would not, the state of every lane is a row of one array (so it is
saved and restored exactly), and the trajectories are bitwise those of a simulator of its own.

Two switches make MuJoCo faster and change no bit of any trajectory (tests/contract/test_environments.py): the
profiling timer that the Python bindings install is removed, and the discovery of constraint islands, useless for a
single robot, is off. Contacts are off where no geom can collide (Swimmer).
"""

from __future__ import annotations

import copy
import functools
import importlib.util
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from frl.training.heterogeneity import Variant

Float = NDArray[np.float64]

# Everything that persists between steps in these models; warm start included, for bitwise continuation.
STATE = int(
    mujoco.mjtState.mjSTATE_TIME
    | mujoco.mjtState.mjSTATE_QPOS
    | mujoco.mjtState.mjSTATE_QVEL
    | mujoco.mjtState.mjSTATE_ACT
    | mujoco.mjtState.mjSTATE_WARMSTART
    | mujoco.mjtState.mjSTATE_CTRL
)


def model_path(xml: str) -> Path:
    """Where one of Gymnasium's XML files is."""
    spec = importlib.util.find_spec("gymnasium")  # the files only: importing the package would cost time
    if spec is None or spec.submodule_search_locations is None:
        raise ModuleNotFoundError("gymnasium, whose MuJoCo models are used, is not installed")
    return Path(spec.submodule_search_locations[0]) / "envs" / "mujoco" / "assets" / xml


@functools.cache
def _load(xml: str) -> tuple[Any, Any]:
    """Model and data of one of Gymnasium's XML files, shared by all lanes of this process."""
    model = mujoco.MjModel.from_xml_path(str(model_path(xml)))
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND
    if not (model.geom_contype.any() or model.geom_conaffinity.any()):
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
    data = mujoco.MjData(model)
    mujoco.set_mjcb_time(None)  # after each MjData: creating one installs the timer again
    return model, data


@functools.cache
def _varied(xml: str, variant: Variant) -> Any:
    """The model with the variant's gravity, friction, gear and density of the medium."""
    model = copy.copy(_load(xml)[0])
    model.opt.gravity *= variant.gravity
    model.opt.density *= variant.density
    model.geom_friction *= variant.friction  # of all geoms: a contact takes the larger of two
    model.actuator_gear *= variant.gear
    return model


class Physics:
    """`lanes` independent simulations of one model.

    Args:
        xml: file name among Gymnasium's MuJoCo assets.
        lanes: number of simulations.
        frame_skip: MuJoCo steps per environment step.
        fields: names of MjData arrays to copy out after every step (positions of bodies, forces, ...).
        contact_forces: run mj_rnePostConstraint after each step, which fills `cfrc_ext`.
        variants: what each lane's model is multiplied by, (lanes,); none means the file's model for all.

    Attributes:
        state: (lanes, S) float64; `time`, `qpos`, `qvel`, `ctrl` are views into it, (lanes, ...).
        derived: field name -> (lanes, size) float64, values of the last step, as MuJoCo left them.
        dt: seconds per environment step.
    """

    def __init__(
        self,
        xml: str,
        lanes: int,
        frame_skip: int,
        fields: Iterable[str] = (),
        contact_forces: bool = False,
        variants: Sequence[Variant] | None = None,
    ):
        self.model, self.data = _load(xml)
        # one MjData serves them all: their sizes are equal, and all that persists is in the rows
        self._models = [self.model] * lanes if variants is None else [_varied(xml, variant) for variant in variants]
        self.frame_skip = frame_skip
        self.contact_forces = contact_forces
        self.dt = self.model.opt.timestep * frame_skip
        nq, nv, na, nu = self.model.nq, self.model.nv, self.model.na, self.model.nu
        self.state: Float = np.zeros((lanes, mujoco.mj_stateSize(self.model, STATE)))
        self._rows = list(self.state)
        self.qpos = self.state[:, 1 : 1 + nq]
        self.qvel = self.state[:, 1 + nq : 1 + nq + nv]
        self.ctrl = self.state[:, 1 + nq + nv + na + nv : 1 + nq + nv + na + nv + nu]
        self._sources = [getattr(self.data, name).reshape(-1) for name in fields]
        self._derived = np.zeros((lanes, sum(source.size for source in self._sources)))
        self._derived_rows = list(self._derived)
        self.derived: dict[str, Float] = {}
        start = 0
        for name, source in zip(fields, self._sources, strict=True):
            self.derived[name] = self._derived[:, start : start + source.size]
            start += source.size

    def reset(self, lane: int, qpos: Float, qvel: Float) -> None:
        """Start `lane` anew at (qpos, qvel), as Gymnasium's `reset` does."""
        model = self._models[lane]
        mujoco.mj_resetData(model, self.data)
        self.data.qpos[:] = qpos
        self.data.qvel[:] = qvel
        mujoco.mj_forward(model, self.data)
        mujoco.mj_getState(model, self.data, self._rows[lane], STATE)
        if self._sources:
            np.concatenate(self._sources, out=self._derived_rows[lane])

    def step(self, lanes: Iterable[int]) -> None:
        """Advance the given lanes by one environment step under their `ctrl`."""
        set_state, step, get_state = mujoco.mj_setState, mujoco.mj_step, mujoco.mj_getState
        models, data, rows, frame_skip = self._models, self.data, self._rows, self.frame_skip
        if not self._sources:
            for lane in lanes:
                model, row = models[lane], rows[lane]
                set_state(model, data, row, STATE)
                step(model, data, frame_skip)
                get_state(model, data, row, STATE)
            return
        for lane in lanes:
            model, row = models[lane], rows[lane]
            set_state(model, data, row, STATE)
            step(model, data, frame_skip)
            if self.contact_forces:
                mujoco.mj_rnePostConstraint(model, data)
            get_state(model, data, row, STATE)
            np.concatenate(self._sources, out=self._derived_rows[lane])

    def save(self) -> dict[str, Float]:
        """Copies of all that a later :meth:`restore` needs to continue bit for bit."""
        return {"state": self.state.copy(), "derived": self._derived.copy()}

    def restore(self, saved: dict[str, Float]) -> None:
        """Back to a saved moment."""
        self.state[:] = saved["state"]
        self._derived[:] = saved["derived"]

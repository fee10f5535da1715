"""MuJoCo lanes: many simulations over one MjData, their state rows swapped in and out.

One MjData stays in the cache where one per lane would not, the state of every lane is a row of one array (so it is
saved and restored exactly), and the trajectories are bitwise those of a simulator of its own.

Three things make MuJoCo faster and change no bit of any trajectory (tests/contract/test_environments.py): the
profiling timer that the Python bindings install is removed; the discovery of constraint islands, useless for a single
robot, is off; and the pairs of geoms that may touch are listed in the model, so that no broad phase looks for them
(contacts are off where there are none: Swimmer).
"""

from __future__ import annotations

import copy
import functools
import importlib.util
import itertools
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
    model = _with_listed_contacts(xml)
    model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_ISLAND
    if not model.npair:
        model.opt.disableflags |= mujoco.mjtDisableBit.mjDSBL_CONTACT
    data = mujoco.MjData(model)
    mujoco.set_mjcb_time(None)  # after each MjData: creating one installs the timer again
    return model, data


def _with_listed_contacts(xml: str) -> Any:
    """The file's model, its contacts given as explicit pairs of geoms, with the parameters that MuJoCo would mix."""
    spec = mujoco.MjSpec.from_file(str(model_path(xml)))
    for index, geom in enumerate(spec.geoms):
        geom.name = geom.name or f"geom{index}"
    found = spec.compile()
    for one, two in _may_touch(found):
        of_both = {
            name: (getattr(found, f"geom_{name}")[one], getattr(found, f"geom_{name}")[two])
            for name in ("condim", "margin", "gap", "friction", "solref", "solimp")
        }
        spec.add_pair(
            geomname1=found.geom(one).name,
            geomname2=found.geom(two).name,
            friction=np.max(of_both["friction"], axis=0)[[0, 0, 1, 2, 2]],  # sliding and rolling in two directions
            **{name: max(of_both[name]) for name in ("condim", "margin", "gap")},
            **{name: np.mean(of_both[name], axis=0) for name in ("solref", "solimp")},
        )
    for geom in spec.geoms:
        geom.contype = geom.conaffinity = 0
    return spec.compile()


def _may_touch(model: Any) -> list[tuple[int, int]]:
    """Pairs of geoms that MuJoCo lets collide, in the order in which it lists their contacts."""
    pairs = []
    for one, two in itertools.combinations(range(model.ngeom), 2):
        bodies = [int(model.body_weldid[model.geom_bodyid[geom]]) for geom in (one, two)]
        parents = [int(model.body_weldid[model.body_parentid[body]]) for body in bodies]
        related = 0 not in bodies and (bodies[0] == parents[1] or bodies[1] == parents[0])
        wanted = (
            model.geom_contype[one] & model.geom_conaffinity[two]
            or model.geom_contype[two] & model.geom_conaffinity[one]
        )
        if wanted and bodies[0] != bodies[1] and not related:
            geoms = sorted((one, two), key=lambda geom: model.geom_type[geom])
            pairs.append((sorted(model.geom_bodyid[[one, two]]), geoms))
    return [(geoms[0], geoms[1]) for _, geoms in sorted(pairs)]


@functools.cache
def _varied(xml: str, variant: Variant) -> Any:
    """The model with the variant's gravity, friction, gear and density of the medium."""
    model = copy.copy(_load(xml)[0])
    model.opt.gravity *= variant.gravity
    model.opt.density *= variant.density
    model.pair_friction *= variant.friction
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
        state: (lanes, S) float64; `qpos`, `qvel`, `ctrl` are views into it, (lanes, ...), and so is `motion`, which
            is qpos and qvel side by side.
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
        self.motion = self.state[:, 1 : 1 + nq + nv]
        self.qpos, self.qvel = self.motion[:, :nq], self.motion[:, nq:]
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

"""A trained policy as a file: the safetensors format, which holds arrays and nothing executable.

Arrays: `theta` (d,), the policy's parameters (frl.training.policy); and, if observations are normalised, `mean` and
`inverse_std` (O,) and `clip` (), float32: x -> clip((x - mean) * inverse_std, -clip, clip).
"""

from __future__ import annotations

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save

from frl.spec import RunSpec
from frl.training.envs import MAKE
from frl.training.mlp import Float32
from frl.training.normalizer import Normalizer
from frl.training.policy import GaussianPolicy


def to_bytes(theta: Float32, normalizer: Normalizer) -> bytes:
    """The file's content; equal policies give equal bytes."""
    arrays = {"theta": theta}
    if normalizer.mean.ndim:
        arrays |= {name: getattr(normalizer, name) for name in ("mean", "inverse_std", "clip")}
    return save({name: np.ascontiguousarray(array) for name, array in arrays.items()})


def from_bytes(content: bytes) -> tuple[Float32, Normalizer]:
    """Parameters and normaliser.

    Raises:
        ValueError: if the content is no such file.
    """
    try:
        arrays = load(content)
        normalizer = Normalizer(None, 0)
        vars(normalizer).update({name: arrays[name] for name in arrays.keys() - {"theta"}})
        return arrays["theta"], normalizer
    except (SafetensorError, KeyError) as error:
        raise ValueError(f"not a kept policy: {error}") from None


def make_policy(spec: RunSpec) -> GaussianPolicy:
    """The run's policy; its sizes are the environment's."""
    probe = MAKE[spec.environment](spec.env_version, [spec.stream("probe")])
    return GaussianPolicy(probe.observation_size, probe.action_size, spec.policy.hidden, spec.policy.log_std_init)

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
from frl.training.evaluation import Evaluator, Point
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


def evaluate(spec: RunSpec, content: bytes, episodes: int) -> dict[str, object]:
    """The evaluation columns of a row for the kept policy of a run of `spec`, on episodes that the run did not play.

    Raises:
        ValueError: if the content is no kept policy, or one of other sizes; or `episodes` is no multiple of N where
            the agents' environments differ.
    """
    spec = RunSpec.model_validate(
        spec.model_dump()
        | {"method": spec.method, "evaluation": {**spec.evaluation.model_dump(), "episodes": episodes}}
    )
    theta, normalizer = from_bytes(content)
    policy = make_policy(spec)
    if theta.shape != (policy.size,):
        raise ValueError(f"a kept policy of {theta.size} parameters, but the run's have {policy.size}")
    return Evaluator(spec, policy).evaluate([Point(-1, theta, normalizer, mean_action=True)])[0]


def make_policy(spec: RunSpec) -> GaussianPolicy:
    """The run's policy; its sizes are the environment's."""
    probe = MAKE[spec.environment](spec.env_version, [spec.stream("probe")])
    return GaussianPolicy(probe.observation_size, probe.action_size, spec.policy.hidden, spec.policy.log_std_init)

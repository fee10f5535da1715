"""A run's codecs, for either side of the wire: server and agents make their own, so they may be in other processes."""

from __future__ import annotations

from functools import partial

from frl.spec import RunSpec
from frl.training.codecs.base import Shapes
from frl.training.codecs.wire import Downlink, Uplink, compression
from frl.training.policy import GaussianPolicy


def uplink(spec: RunSpec, policy: GaussianPolicy, draws: str = "uplink") -> Uplink | None:
    """The run's compression of gradients, if it has one.

    Args:
        draws: name of the streams of the method's own draws.
    """
    if spec.codec is None:
        return None
    return Uplink(compression(spec.codec, _shapes(policy)), partial(spec.stream, draws))


def downlink(spec: RunSpec, policy: GaussianPolicy) -> Downlink | None:
    """The run's compression of parameters, if it has one."""
    if spec.downlink is None:
        return None
    return Downlink(compression(spec.downlink, _shapes(policy)), partial(spec.stream, "downlink"))


def _shapes(policy: GaussianPolicy) -> Shapes:
    return [*policy.mlp.shapes, (policy.action_size,)]

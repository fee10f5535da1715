"""What travels: each message with draws of its own, and numbers that are not finite as such."""

from __future__ import annotations

import numpy as np
import pytest

from frl.spec import SERVERS, RunSpec
from frl.training.codecs.wire import CODECS, Downlink, Uplink, compression
from frl.training.servers.base import Sample, Task, Update

SHAPES, SIZE = [(20, 15), (15,)], 315
METHODS = {
    method.__name__: compression(method.Settings(name=name), SHAPES)
    for method, name in zip(CODECS, ("qsgd", "top_k", "low_rank", "float16"), strict=True)
}
STREAM = RunSpec(
    environment="Hopper", algorithm="rennala", n_agents=2, seed=0, steps_per_agent=20_000, server={}
).stream


def test_each_message_draws_anew_also_at_one_server_step():
    """As Rennala's agents upload several gradients of one point, and are sent it several times."""
    one, memory = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32), {}
    uplink = Uplink(METHODS["QSGD"], STREAM)
    coded = [uplink.encode(Update(0, step, one), memory).coded[1].tobytes() for step in (0, 0, 0, 1)]
    assert len(set(coded)) == 4
    downlink = Downlink(METHODS["QSGD"], STREAM)
    sent = [downlink.encode(Task(0, 0, point)) for point in (0 * one, one)]
    downlink.held[0] = 0 * one
    assert downlink.encode(Task(0, 0, one)).coded[1].tobytes() != sent[1].coded[1].tobytes()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_what_is_not_finite_arrives_as_such_so_that_the_run_diverges(method, bad):
    vector = np.random.default_rng(0).standard_normal(SIZE).astype(np.float32)
    vector[7] = bad
    with np.errstate(invalid="ignore"):
        coded = method.compress(vector, {}, np.random.default_rng(0))
        assert not np.isfinite(method.expand(coded)).all()


@pytest.mark.parametrize("algorithm", SERVERS)
def test_an_agent_uploads_a_gradient_that_is_not_finite(algorithm):
    theta = np.zeros(3, np.float32)
    server, memory = SERVERS[algorithm], {}
    wanted = {"window": 1, "upload_probability": 1.0}
    settings = server.Settings(**{name: wanted[name] for name in wanted.keys() & server.Settings.model_fields})
    for gradient in (theta + 1, theta + 1, theta * np.float32("nan")):
        sample = Sample(Task(0, 0, theta), gradient, lambda: 1.0, np.random.default_rng(0), 2, lambda vector: vector)
        sent = server.agent_gradient(sample, memory, settings)
    assert np.isnan(sent).any()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_what_is_not_coded_like_the_method_is_not_decoded(method):
    """Else a message could count for other bytes than it has."""
    uplink = Uplink(method, STREAM)
    coded = uplink.encode(Update(0, 0, np.ones(SIZE, np.float32)), {}).coded
    assert uplink.decode(Update(0, 0, None, coded=coded)).gradient.shape == (SIZE,)
    longer, wider = (*coded, coded[0]), tuple(array.astype(np.float64) for array in coded)
    for wrong in (coded[:-1], longer, wider, tuple(array[None] for array in coded), list(coded)):
        with pytest.raises(ValueError, match="not the arrays of the codec"):
            uplink.decode(Update(0, 0, None, coded=wrong))

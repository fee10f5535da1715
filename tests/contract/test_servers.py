"""What every server must do, whatever its algorithm; one suite for all that are registered."""

from __future__ import annotations

import numpy as np
import pytest

from frl.spec import SERVERS
from frl.training.servers.aggregators import AGGREGATORS
from frl.training.servers.base import Sample, SharedState, Task, Update

D = 6
AGGREGATING = [
    *({"defence": "slots", "aggregator": name} for name in AGGREGATORS),
    *({"defence": "momenta", "aggregator": name} for name in ("trimmed_mean", "krum", "geometric_median")),
    {"defence": "buffers"},
]
DEFENDED = {
    "robust_afedpg": [{"defence": "clip"}, {"defence": "cosine"}, *AGGREGATING],
    "robust_fedpg": [{"defence": name} for name in AGGREGATORS if name != "median"],
    "rennala": [{"batch": 1}, {"batch": 3}],
}
ARMS = {name: (name, {}) for name in SERVERS} | {
    "-".join([name, *map(str, settings.values())]): (name, settings)
    for name, every in DEFENDED.items()
    for settings in every
}
"""Every server with its defaults, and with every defence: name of the arm -> algorithm, settings."""


def make(name, n_agents=4, dtype=np.float64, shared=None, **settings):
    algorithm, own = ARMS[name]
    theta = np.linspace(-1, 1, D).astype(dtype)
    return SERVERS[algorithm](theta, n_agents, SERVERS[algorithm].Settings(**own | settings), shared)


def answer(task, seed=0, **fields):
    gradient = np.random.default_rng([seed, task.agent, task.step]).standard_normal(D)
    return Update(task.agent, task.step, gradient.astype(task.parameters.dtype), **fields)


def sample(gradient, task=None, n_agents=1, seed=0):
    """What an agent that computed `gradient` hands to its side of the method."""
    task = task if task is not None else Task(0, 0, np.zeros_like(gradient))
    return Sample(task, gradient, lambda: 0.0, np.random.default_rng(seed), n_agents, lambda vector: 2 * vector)


def play(server, updates, order=None, seed=0):
    """Answer tasks first in, first out (or by `order`); the trace of theta."""
    queue, trace = server.start(), [server.parameters]
    for _ in range(updates):
        index = 0 if order is None else int(order.integers(len(queue)))
        queue += server.receive(answer(queue.pop(index), seed))
        trace.append(server.parameters)
    return np.stack(trace), queue


MOVES = {"robust_afedpg-buffers": 3, "rennala": 1, "rennala-1": 3, "rennala-3": 2}
"""Of 12 arrivals in turn from 4 agents those that move a server that answers at once but does not always step: three
buffers have all been filled with every fourth; rounds of M gradients begin with up to three that are too old."""


def waits(name):
    """Whether the server answers nobody before everybody has answered, by what it does."""
    server = make(name)
    return not server.receive(answer(server.start()[0]))


@pytest.mark.parametrize("name", ARMS)
class TestContract:
    def test_starts_by_sending_theta_0_to_every_agent(self, name):
        server = make(name)
        tasks = server.start()
        assert [task.agent for task in tasks] == [0, 1, 2, 3]
        assert {task.step for task in tasks} == {0}
        for task in tasks:
            np.testing.assert_array_equal(task.parameters, np.linspace(-1, 1, D))

    @pytest.mark.parametrize("n_agents", [1, 2, 5])
    def test_every_agent_has_exactly_one_task_between_rounds(self, name, n_agents):
        server = make(name, n_agents)
        _, queue = play(server, 10 * n_agents, np.random.default_rng(0))
        assert sorted(task.agent for task in queue) == list(range(n_agents))

    def test_waits_for_a_round_if_it_says_so(self, name):
        assert waits(name) == make(name).synchronous

    def test_no_upload_is_ignored_unless_it_says_so(self, name):
        """A nudge to one of the first 12 uploads is seen in where the server is after 24."""

        def end(nudged=None):
            server = make(name)
            queue = server.start()
            for arrival in range(24):
                update = answer(queue.pop(0))
                gradient = update.gradient * (1.01 if arrival == nudged else 1)
                queue += server.receive(Update(update.agent, update.step, gradient))
            return server.parameters

        if make(name).every_upload_once:
            assert all((end(nudged) != end()).any() for nudged in range(12))

    def test_a_task_is_stamped_with_the_step_it_left_at(self, name):
        server = make(name)
        queue = server.start()
        for _ in range(20):
            sent = server.receive(answer(queue.pop(0)))
            assert all(task.step == server.step for task in sent)
            queue += sent

    def test_moves_only_when_it_counts_a_step(self, name):
        server = make(name)
        queue, moved = server.start(), 0
        for _ in range(12):
            before, step = server.parameters, server.step
            queue += server.receive(answer(queue.pop(0)))
            changed = not np.array_equal(before, server.parameters)
            assert server.step == step + changed
            moved += changed
        assert moved == MOVES.get(name, 3 if waits(name) else 12)

    def test_does_not_touch_what_it_sent_or_was_given(self, name):
        server = make(name)
        queue = server.start()
        sent = [(task, task.parameters.copy()) for task in queue]
        for _ in range(12):
            update = answer(queue.pop(0))
            gradient = update.gradient.copy()
            new = server.receive(update)
            np.testing.assert_array_equal(update.gradient, gradient)
            queue += new
            sent += [(task, task.parameters.copy()) for task in new]
        for task, parameters in sent:
            np.testing.assert_array_equal(task.parameters, parameters)

    def test_repeats_and_keeps_the_dtype(self, name):
        trace, queue = play(make(name, dtype=np.float32), 9)
        assert trace.dtype == np.float32
        assert {task.parameters.dtype for task in queue} == {np.dtype(np.float32)}
        np.testing.assert_array_equal(trace, play(make(name, dtype=np.float32), 9)[0])

    def test_zero_gradients_move_nothing(self, name):
        server = make(name)
        queue = server.start()
        for _ in range(8):
            task = queue.pop(0)
            queue += server.receive(Update(task.agent, task.step, np.zeros(D)))
        np.testing.assert_array_equal(server.parameters, np.linspace(-1, 1, D))

    def test_ascends_a_concave_quadratic(self, name):
        server = make(name, n_agents=2)
        queue, memories = server.start(), ({}, {})
        for _ in range(4000):
            task = queue.pop(0)
            mine = sample(-task.parameters, task, n_agents=2, seed=task.step)
            gradient = server.agent_gradient(mine, memories[task.agent], server.settings)
            queue += server.receive(Update(task.agent, task.step, gradient))
        start = np.linalg.norm(np.linspace(-1, 1, D))
        assert np.linalg.norm(server.parameters) < 0.2 * start

    def test_shared_state_is_absorbed_once_per_update_and_sent_with_tasks(self, name):
        shared = SharedState(normalizer=np.zeros(5))
        server = make(name, shared=shared)
        queue = server.start()
        for _ in range(8):
            task = queue.pop(0)
            queue += server.receive(answer(task, normalizer=np.ones(5)))
        np.testing.assert_allclose(server.shared.normalizer, 8)
        np.testing.assert_array_equal(queue[-1].normalizer, server.shared.normalizer)

    def test_agents_gradient_is_an_ascent_direction_of_the_same_shape(self, name):
        gradient = np.arange(D, dtype=np.float32)
        server = make(name)
        uploaded = server.agent_gradient(sample(gradient), {}, server.settings)
        assert uploaded.shape == gradient.shape
        assert uploaded.dtype == gradient.dtype
        assert uploaded @ gradient > 0

    def test_refuses_settings_it_does_not_know(self, name):
        with pytest.raises(ValueError, match="momentun"):
            make(name, momentun=0.1)


def test_fedpg_does_not_depend_on_the_order_of_arrival():
    traces = []
    for seed in range(3):
        shared = SharedState(normalizer=np.zeros(3))
        server = make("fedpg", dtype=np.float32, shared=shared)
        queue, order = server.start(), np.random.default_rng(seed)
        for _ in range(40):
            task = queue.pop(int(order.integers(len(queue))))
            sums = np.random.default_rng([task.agent, task.step]).standard_normal(3)
            queue += server.receive(answer(task, normalizer=sums))
        traces.append(np.concatenate((server.parameters, shared.normalizer)))
    np.testing.assert_array_equal(traces[0], traces[1])
    np.testing.assert_array_equal(traces[0], traces[2])


def test_fedpg_plain_is_averaged_gradient_ascent():
    server = make("fedpg", variant="plain", step_size=0.5)
    gradients = [answer(task) for task in server.start()]
    for update in gradients:
        server.receive(update)
    expected = np.linspace(-1, 1, D) + 0.5 * np.mean([update.gradient for update in gradients], axis=0)
    np.testing.assert_allclose(server.parameters, expected, rtol=1e-15)


def test_with_one_agent_afedpg_and_fedpg_are_the_same_method():
    a, _ = play(make("afedpg", 1), 20)
    b, _ = play(make("fedpg", 1), 20)
    np.testing.assert_allclose(a, b, rtol=1e-13)


def test_with_alpha_one_there_is_no_lookahead():
    a, _ = play(make("afedpg", momentum=1.0), 20)
    b, _ = play(make("async_pg", momentum=1.0), 20)
    np.testing.assert_array_equal(a, b)


def test_a3c_clips_on_the_worker_and_divides_by_the_running_root_mean_square():
    settings = SERVERS["a3c"].Settings(max_gradient_norm=0.5, learning_rate=0.1, decay=0.9, epsilon=1e-5)
    clipped = SERVERS["a3c"].agent_gradient(sample(np.array([3.0, 4.0])), {}, settings)
    np.testing.assert_allclose(clipped, [0.3, 0.4])
    server = SERVERS["a3c"](np.zeros(2), 1, settings)
    task = server.start()[0]
    server.receive(Update(task.agent, task.step, clipped))
    np.testing.assert_allclose(server.parameters, 0.1 * clipped / (np.sqrt(0.1 * clipped**2) + 1e-5))


def test_schedules():
    constant = SERVERS["afedpg"].Settings(step_size=0.3, momentum=0.5)
    assert (constant.alpha(100), constant.eta(100)) == (0.5, 0.3)
    theorem = SERVERS["afedpg"].Settings(step_size=0.3, momentum=1.0, schedule="global")
    assert (theorem.alpha(0), theorem.eta(0)) == (1.0, 0.3)
    assert theorem.alpha(62) == pytest.approx((2 / 64) ** 0.8)
    assert theorem.eta(62) == pytest.approx(0.3 * 2 / 64)
    first = SERVERS["afedpg"].Settings(step_size=0.3, momentum=1.0, schedule="first_order")
    assert first.alpha(62) == pytest.approx((2 / 64) ** (4 / 7))
    assert first.eta(62) == pytest.approx(0.3 * (2 / 64) ** (5 / 7))


def test_messages_count_their_bytes():
    task = Task(0, 3, np.zeros(10, np.float32), normalizer=np.zeros(5))
    assert task.nbytes == 8 + 8 + 40 + 40
    assert Update(0, 3, np.zeros(10, np.float32)).nbytes == 8 + 8 + 40
    assert Update(0, 3, None).nbytes == 1  # a flag
    assert Update(0, 3, None, normalizer=np.zeros(5)).nbytes == 8 + 8 + 40


@pytest.mark.parametrize("name", [name for name in SERVERS if not SERVERS[name].lazy])
def test_a_method_that_is_not_lazy_refuses_an_update_without_gradient(name):
    server = make(name, n_agents=1)
    with pytest.raises(ValueError, match="agent 0 uploaded no gradient"):
        server.receive(Update(server.start()[0].agent, 0, None))


def by_the_box(name, theta, arrivals, eta, alpha):
    """theta_k and the points sent, transcribed from the boxes with explicit indices; arrivals are (k', gradient)."""
    thetas, points, d = [theta], [], None
    for k, (dispatched, g) in enumerate(arrivals, start=1):
        a = alpha(dispatched)
        d = g if d is None else (1 - a) * d + a * g
        thetas.append(thetas[k - 1] + eta(k - 1) * d / np.linalg.norm(d))
        lookahead = (1 - a) / a * (thetas[k] - thetas[k - 1])
        points.append(thetas[k] + (0 if name == "async_pg" else lookahead))
    return thetas, points


@pytest.mark.parametrize("schedule", ["global", "first_order"])
@pytest.mark.parametrize("name", ["afedpg", "async_pg", "fedpg"])
def test_decaying_schedules_are_taken_at_the_boxes_indices(name, schedule):
    """Arrivals out of order, so that k' = k - delta_k takes many values; FedPG's are rounds with delta = 1."""
    server = make(name, 3, momentum=0.9, step_size=0.3, schedule=schedule)
    queue, order = server.start(), np.random.default_rng(1)
    arrivals, thetas, points, gradients = [], [server.parameters], [], []
    for _ in range(36):
        update = answer(queue.pop(int(order.integers(len(queue)))))
        gradients.append(update.gradient)
        sent = server.receive(update)
        queue += sent
        if sent:
            arrivals.append((update.step, np.mean(gradients, axis=0)))
            gradients.clear()
            thetas.append(server.parameters)
            points.append(sent[0].parameters)
    if name != "fedpg":
        assert len({k - dispatched for k, (dispatched, _) in enumerate(arrivals, start=1)}) > 3
    exponents = {"global": (4 / 5, 1), "first_order": (4 / 7, 5 / 7)}[schedule]
    expected = by_the_box(
        name,
        thetas[0],
        arrivals,
        eta=lambda k: 0.3 * (2 / (k + 2)) ** exponents[1],
        alpha=lambda k: 0.9 * (2 / (k + 2)) ** exponents[0],
    )
    np.testing.assert_allclose(thetas, expected[0], rtol=1e-12)
    np.testing.assert_allclose(points, expected[1], rtol=1e-12)

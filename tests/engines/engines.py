"""What the tests of the engines share: small runs, agents in this process, and what kills processes."""

from __future__ import annotations

import io
import random
import threading
import time

from frl.engines import execute, processes, trace
from frl.engines.live import Live
from frl.engines.replay import replay
from frl.engines.worker import answering
from frl.spec import RunSpec
from frl.training.loop import train


def spec(algorithm="afedpg", kind="processes", paced=False, timeout_s=60.0, **settings):
    small = {"policy": {"hidden": (8,)}, "sampling": {"lanes": 4, "segment_steps": 8}, "evaluation": {"episodes": 2}}
    identity = {"environment": "Hopper", "algorithm": algorithm, "n_agents": 3, "seed": 0, "steps_per_agent": 192}
    engine = {"kind": kind, "paced": paced, "timeout_s": timeout_s}
    return RunSpec(**{**identity, **small, "engine": engine, **settings})


ONE_AT_A_TIME = threading.Lock()
"""Physics has one state a process, which threads share."""


class Local:
    """A link to an agent in this process; `asked` counts the messages, the greeting included."""

    def __init__(self, spec, agent):
        self.agent, self.asked = agent, 0
        self.stopped = threading.Event()
        with ONE_AT_A_TIME:
            self.answer = answering(spec.to_json(), agent)

    def ask(self, message):
        self.asked += 1
        rest = []
        with ONE_AT_A_TIME:
            answer = self.answer(message, rest.append)
        self.stopped.wait(sum(rest))
        if self.stopped.is_set():
            raise EOFError
        return answer

    def stop(self):
        self.stopped.set()


def live(run, connect=Local, evaluation=Local):
    """The run by the wall clock: what it was at its end, its result, and its trace as text."""
    file = io.StringIO()
    with Live(run, connect, evaluation, file) as made:
        result = train(run, make=lambda _: made)
    return made, result, file.getvalue()


def replayed(path):
    return replay(*trace.read(path))


class Killing:
    """Kills processes of a run, one after another, at moments of its own, while the context lasts.

    Args:
        kills: how many.
        seed: of the moments, and of who it is.
        between: seconds from one to the next, at most.
    """

    def __init__(self, kills, seed, between):
        self.left, self.random, self.between = kills, random.Random(seed), between
        self.killed = 0
        self.links = {}
        self._thread = threading.Thread(target=self._kill)
        self._over = threading.Event()

    def connect(self, spec, agent):
        link = processes.Process(spec, agent)
        self.links[agent] = link
        return link

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *exception):
        self._over.set()
        self._thread.join()

    def _kill(self):
        while not self.links:
            time.sleep(0.01)
        while self.left and not self._over.wait(self.random.uniform(0, self.between)):
            link = self.links[self.random.choice(sorted(self.links))]
            if link.process.is_alive():
                link.process.kill()
                self.left -= 1
                self.killed += 1


def survives(run, folder, kills, seed, between=0.15):
    """Whether a run whose agents are killed loses nothing: its restarts and kills."""
    path = folder / "run.trace"
    with Killing(kills, seed, between) as killing:
        from contextlib import nullcontext

        table, result, facts = execute.execute(run, path, connect=lambda _: nullcontext(killing.connect))
    again, same = replayed(path)
    assert again == table
    assert (same.policy, same.facts, same.status) == (result.policy, result.facts, result.status)
    return facts["engine"]["restarts"], killing.killed

"""What the tests of the engines share: small runs, agents in this process, and what kills processes."""

from __future__ import annotations

import io
import random
import re
import threading
import time
from contextlib import nullcontext, suppress
from pathlib import Path

from frl.engines import execute, processes, trace
from frl.engines.live import Live
from frl.engines.replay import replay
from frl.engines.worker import answering
from frl.spec import RunSpec
from frl.training.execute import csv_bytes
from frl.training.loop import train


def spec(algorithm="afedpg", kind="processes", paced=False, timeout_s=60.0, **settings):
    small = {"policy": {"hidden": (8,)}, "sampling": {"lanes": 4, "segment_steps": 8}, "evaluation": {"episodes": 2}}
    identity = {"environment": "Hopper", "algorithm": algorithm, "n_agents": 3, "seed": 0, "steps_per_agent": 192}
    engine = {"kind": kind, "paced": paced, "timeout_s": timeout_s}
    return RunSpec(**{**identity, **small, "engine": engine, **settings})


ONE_AT_A_TIME = threading.Lock()
"""Physics has one state a process, which threads share."""


class Clock:
    """Stands for the module `time` in `frl.engines.live`, so that a test moves the clock on and does not wait."""

    perf_counter = staticmethod(time.perf_counter)

    def __init__(self):
        self.ahead = 0.0

    def monotonic(self):
        return time.monotonic() + self.ahead


def wait_for(condition, seconds=120):
    """Wait until something holds, which on a busy machine may take long."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


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


def told(text):
    """The arrivals of a trace that is given as text."""
    return trace.from_text(text[text.index("\n") + 1 :])


def same_as_replayed(run, result, text):
    table, again = replay(run, told(text))
    assert table == csv_bytes(result.rows)
    assert again.policy == result.policy
    assert again.facts == result.facts


def replayed(path):
    return replay(*trace.read(path))


class Killing:
    """Kills processes of a run, one after another, at moments of its own, while the context lasts.

    Args:
        kills: how many.
        seed: of the moments, and of who it is.
        between: seconds from one to the next, at most.
        begun: what says whether to begin.
    """

    def __init__(self, kills, seed, between, begun):
        self.begun = begun
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
        while not self.begun() and not self._over.is_set():
            time.sleep(0.01)
        while self.left and not self._over.wait(self.random.uniform(0, self.between)):
            link = self.links[self.random.choice(sorted(self.links))]
            if link.process.is_alive():
                link.process.kill()
                self.left -= 1
                self.killed += 1


def survives(run, folder, kills, seed, between=0.15, after=1):
    """That a run whose agents are killed, after so many arrivals, loses nothing: its restarts and kills."""
    path = folder / "run.trace"

    def begun():
        return killing.links and path.exists() and path.read_bytes().count(b"\n") > after

    killing = Killing(kills, seed, between, begun)
    with killing:
        table, result, facts = execute.execute(run, path, connect=lambda _: nullcontext(killing.connect))
    again, same = replayed(path)
    assert again == table
    assert (same.policy, same.facts, same.status) == (result.policy, result.facts, result.status)
    return facts["engine"]["restarts"], killing.killed


def listening(pids):
    """Addresses on which these processes listen by TCP, from /proc, as hexadecimal as there."""
    inodes = {}
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            words = line.split()
            if words[3] == "0A":
                inodes[words[9]] = words[1].partition(":")[0]
    found = []
    for handle in (handle for pid in pids for handle in handles(pid)):
        with suppress(OSError):  # closed meanwhile
            inode = re.fullmatch(r"socket:\[(\d+)\]", str(handle.readlink()))
            if inode and inode[1] in inodes:
                found.append(inodes[inode[1]])
    return found


def handles(pid):
    """Open files of a process; none if it has ended."""
    try:
        return list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return []


def descendants(pid):
    """A process and all below it, and those that its forks' server started."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(folder.name)] = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def written(path):
    """When a file was last written, in nanoseconds; None if it is not there: a run that ends removes its checkpoint."""
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return None


LOOPBACK = ("0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000")
"""127.0.0.1, the same in IPv6, and ::1, as /proc writes them."""

"""Agents as actors of Ray: replayed, killed, and who may connect. `make test-ray`."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from engines import LOOPBACK, descendants, listening, replayed, spec
from frl.engines import actors, execute
from frl.engines.links import greet
from frl.spec import SERVERS

pytestmark = [pytest.mark.suite("ray"), pytest.mark.filterwarnings("ignore")]


@pytest.fixture(scope="module")
def connecting():
    """One Ray for all runs of this file."""
    with actors.connecting() as connect:

        @contextmanager
        def same(spec):
            yield connect

        yield same


@pytest.mark.parametrize("algorithm", SERVERS)
def test_a_run_of_every_algorithm_is_replayed_byte_for_byte(tmp_path, connecting, algorithm):
    run = spec(algorithm, kind="ray")
    table, result, facts = execute.execute(run, tmp_path / "run.trace", connect=connecting)
    again, same = replayed(tmp_path / "run.trace")
    assert again == table
    assert (same.policy, same.facts) == (result.policy, result.facts)
    assert facts["engine"]["restarts"] == facts["engine"]["refused_answers"] == 0


def workers():
    """Processes of actors that are there."""
    found = []
    for pid in descendants(os.getpid()):
        try:
            title = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if title.startswith(b"ray::Agent"):
            found.append(pid)
    return found


@pytest.mark.parametrize("algorithm", ["afedpg", "fedpg", "lapg"])
def test_workers_that_are_killed_lose_nothing(tmp_path, connecting, algorithm):
    moments, killed, over = random.Random(algorithm), [], threading.Event()
    path = tmp_path / "run.trace"

    def kill():
        while not path.exists() or path.read_bytes().count(b"\n") < 3:
            time.sleep(0.01)
        while len(killed) < 3 and not over.wait(moments.uniform(0, 1)):
            if there := workers():
                victim = moments.choice(there)
                with suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    killed.append(victim)

    fleet = {"kind": "constant", "seconds_per_1000_steps": 6.0}
    run = spec(algorithm, kind="ray", paced=True, fleet=fleet, steps_per_agent=640)
    thread = threading.Thread(target=kill)
    thread.start()
    table, result, facts = execute.execute(run, path, connect=connecting)
    over.set()
    thread.join()
    again, same = replayed(path)
    assert again == table
    assert same.policy == result.policy
    assert len(killed) == 3
    assert facts["engine"]["restarts"] >= 1


def test_an_actor_that_hangs_is_started_again(tmp_path, connecting):
    path, over = tmp_path / "run.trace", threading.Event()

    def stop():
        while not path.exists() or path.read_bytes().count(b"\n") < 3:
            time.sleep(0.01)
        os.kill(workers()[0], signal.SIGSTOP)
        over.set()

    fleet = {"kind": "constant", "seconds_per_1000_steps": 6.0}
    run = spec("fedpg", kind="ray", paced=True, fleet=fleet, timeout_s=4.0)
    thread = threading.Thread(target=stop)
    thread.start()
    table, _, facts = execute.execute(run, path, connect=connecting)
    thread.join()
    assert over.is_set()
    assert facts["engine"]["restarts"] >= 1
    assert replayed(path)[0] == table


@pytest.mark.short
def test_nothing_listens_beyond_loopback(connecting):
    with connecting(None) as connect:
        link = connect(spec(kind="ray"), 0)
        greet(link)
        found = listening(descendants(os.getpid()))
        link.stop()
    assert len(found) >= 3
    assert set(found) <= set(LOOPBACK)


STRANGER = """
import os, sys
os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="0" * 64, RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0")
import ray
try:
    ray.init(sys.argv[1], logging_level="error")
except Exception as error:
    print("refused", type(error).__name__)
else:
    print("connected")
"""


def test_who_has_another_token_is_refused(connecting):
    import ray

    address = ray.get_runtime_context().gcs_address
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    command = [sys.executable, "-c", STRANGER, address]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=180)
    assert "connected" not in done.stdout
    assert "refused" in done.stdout or "token" in done.stderr

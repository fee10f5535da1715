"""What every engine must do: each task is answered once, the order is recorded, and nothing else is taken."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from engines import Clock, Local, live, same_as_replayed, spec, told
from frl.engines import trace
from frl.engines.links import TRIES, EngineError
from frl.engines.replay import replay
from frl.engines.trace import TraceError
from frl.spec import SERVERS
from frl.training.checkpoint import pack, unpack
from frl.training.execute import csv_bytes
from frl.training.loop import train


@pytest.mark.parametrize("algorithm", SERVERS)
def test_each_task_is_answered_once_and_in_the_order_of_the_trace(algorithm):
    run = spec(algorithm)
    made, result, text = live(run)
    arrivals = told(text)
    numbers = [arrival.task for arrival in arrivals]
    assert len(set(numbers)) == len(numbers) == result.facts["env_steps_total"] // 32
    walls = [arrival.wall_time_s for arrival in arrivals]
    assert walls == sorted(walls)
    assert result.rows[-1]["wall_time_s"] == result.rows[-1]["sim_time_s"] == walls[-1]
    assert (made.restarts, made.refused) == (0, 0)
    same_as_replayed(run, result, text)


def altered(**fields):
    """An answer whose update has other fields."""

    def alter(answer):
        work = answer["work"]
        given = {name: value(work.update) if callable(value) else value for name, value in fields.items()}
        return {**answer, "work": dataclasses.replace(work, update=dataclasses.replace(work.update, **given))}

    return alter


WRONG = {
    "another agent's": (altered(agent=lambda update: (update.agent + 1) % 3), "(task, agent, k')"),
    "another step's": (altered(step=77), "(task, agent, k')"),
    "another task's": (lambda answer: {**answer, "number": answer["number"] + 1}, "(task, agent, k')"),
    "too long": (altered(gradient=lambda update: np.r_[update.gradient, np.float32(0)]), "its gradient is float32"),
    "a matrix": (altered(gradient=lambda update: update.gradient[None]), "its gradient is float32 of shape (1,"),
    "float64": (altered(gradient=lambda update: update.gradient.astype(np.float64)), "its gradient is float64"),
    "a number": (altered(gradient=0.5), "its gradient is float"),
    "no gradient": (altered(gradient=None), "it has no gradient"),
    "short sums": (altered(normalizer=lambda update: update.normalizer[:-1]), "its normalizer is float64"),
    "nan": (altered(gradient=lambda update: update.gradient * np.float32("nan")), "not finite"),
    "inf in the sums": (altered(normalizer=lambda update: update.normalizer * np.inf), "not finite"),
    "steps": (lambda answer: {**answer, "work": dataclasses.replace(answer["work"], env_steps=-5)}, "-5 environment"),
    "something else": (lambda answer: [1, 2, 3], "no answer to a task"),
    "damaged": (None, "damaged"),
}


def once(alter, at=3):
    """Links of which the first to agent 1 gives one wrong answer."""
    wrong = []

    class Wrong(Local):
        def ask(self, message):
            content = super().ask(message)
            if self.agent != 1 or self.asked != at or wrong:
                return content
            wrong.append(self)
            return content[: len(content) // 2] if alter is None else pack(alter(unpack(content)))

    return Wrong


@pytest.mark.parametrize(("alter", "why"), WRONG.values(), ids=WRONG)
def test_a_wrong_answer_is_refused_and_its_task_answered_by_the_agent_started_again(capsys, alter, why):
    run = spec()
    made, result, text = live(run, once(alter))
    assert (made.restarts, made.refused) == (1, 1)
    said = capsys.readouterr().err
    assert "an answer of agent 1 is refused" in said
    assert why in said
    assert result.status == "ok"
    same_as_replayed(run, result, text)


@pytest.mark.parametrize("algorithm", ["afedpg", "fedpg"])
def test_an_agent_that_hangs_is_started_again(capsys, monkeypatch, algorithm):
    hung, clock = [], Clock()
    monkeypatch.setattr("frl.engines.live.time", clock)

    class Hanging(Local):
        def ask(self, message):
            if self.agent == 1 and self.asked == 2 and not hung:
                hung.append(self)
                clock.ahead += 61
                assert self.stopped.wait(120)
                raise EOFError
            return super().ask(message)

    run = spec(algorithm)
    made, result, text = live(run, Hanging)
    assert "agent 1 did not answer for 60 s; it is started again" in capsys.readouterr().err
    assert hung[0].stopped.is_set()
    assert made.restarts >= 1
    same_as_replayed(run, result, text)


def dead(error):
    class Dead(Local):
        def ask(self, message):
            if self.agent == 2 and unpack(message) is not None:
                raise error
            return super().ask(message)

    return Dead


def test_an_agent_that_dies_at_every_try_ends_the_run_in_words():
    with pytest.raises(EngineError, match=rf"agent 2 is gone \(EOFError\); task 2 was sent {TRIES} times"):
        live(spec(), dead(EOFError()))


def test_an_agent_with_other_code_is_refused():
    class Other(Local):
        def ask(self, message):
            answer = unpack(super().ask(message))
            if self.agent == 1:
                answer["code"]["numpy"] = "1.0"
            return pack(answer)

    with pytest.raises(EngineError, match=r"an agent has .*'numpy': '1.0'"):
        live(spec(), Other)


def test_that_machines_round_differently_is_recorded():
    class Other(Local):
        def ask(self, message):
            answer = unpack(super().ask(message))
            if self.agent == 1 and "arithmetic" in answer:
                return pack({**answer, "arithmetic": {"blas": ["Pencil"]}})
            return pack(answer)

    made, _, _ = live(spec(), Other)
    assert {"blas": ["Pencil"]} in made.arithmetic
    assert len(made.arithmetic) == 2


def test_a_run_that_diverges_ends_with_its_status():
    """Twice the same number that is not finite is no broken agent."""

    class Diverging(Local):
        def ask(self, message):
            answer = unpack(super().ask(message))
            if isinstance(answer, dict) and answer.get("number") == 7:
                answer = altered(gradient=lambda update: update.gradient * np.float32("nan"))(answer)
            return pack(answer)

    made, result, text = live(spec(), Diverging)
    assert result.status == result.rows[-1]["status"] == "diverged"
    assert told(text)[-1].task == 7
    assert made.restarts == 1


def test_a_number_that_is_not_finite_after_another_failure_is_not_yet_the_second():
    said = []

    class Failing(Local):
        def ask(self, message):
            content = super().ask(message)
            answer = unpack(content)
            if not isinstance(answer, dict) or answer.get("number") != 7 or len(said) == 2:
                return content
            said.append(answer)
            if len(said) == 1:
                raise EOFError
            return pack(altered(gradient=lambda update: update.gradient * np.float32("nan"))(answer))

    run = spec()
    made, result, text = live(run, Failing)
    assert (result.status, made.restarts, made.refused) == ("ok", 2, 1)
    same_as_replayed(run, result, text)


def test_a_diverged_run_is_replayed_to_its_end():
    run = spec(server={"step_size": 3e38})
    _, result, text = live(run)
    assert result.status == "diverged"
    same_as_replayed(run, result, text)


def test_the_evaluation_is_started_again(capsys):
    died = []

    class Dying(Local):
        def ask(self, message):
            if unpack(message) is not None and not died:
                died.append(self)
                raise EOFError
            return super().ask(message)

    run = spec()
    _, result, text = live(run, evaluation=Dying)
    same_as_replayed(run, result, text)


@pytest.mark.parametrize(
    "settings",
    [
        {"normalizer": {"mode": "local"}},
        {"sampling": {"trajectories": 1}, "steps_per_agent": 60},
        {"fleet": {"kind": "lognormal", "seconds_per_1000_steps": 1.0}, "paced": True},
    ],
    ids=["local normaliser", "whole episodes", "paced"],
)
def test_settings(settings):
    run = spec(**settings)
    _, result, text = live(run)
    same_as_replayed(run, result, text)


def test_a_paced_agent_takes_the_time_that_fleet_and_link_say():
    link = {"latency_s": 0.02}
    run = spec(n_agents=1, paced=True, fleet={"kind": "constant", "seconds_per_1000_steps": 2.0}, link=link)
    _, _, text = live(run)
    walls = np.diff([0.0, *(arrival.wall_time_s for arrival in told(text))])
    assert (walls >= 0.064 + 0.04).all()


# --- traces that are none ---


def test_a_trace_that_was_cut_gives_the_beginning_of_the_run():
    run = spec()
    _, result, text = live(run)
    cut = told(text[:-100])
    assert 3 < len(cut) < len(told(text))
    table, beginning = replay(run, cut)
    whole = csv_bytes(result.rows).splitlines()
    assert table.splitlines() == whole[: len(beginning.rows) + 1]


def edited(arrivals, **fields):
    return [*arrivals[:4], arrivals[4]._replace(**fields), *arrivals[5:]]


@pytest.mark.parametrize(
    ("fields", "why"), [({"task": 50}, "had no task 50"), ({"step": 50}, "k' is 50"), ({"agent": 9}, "agent 9 had no")]
)
def test_a_trace_of_another_run_is_refused(fields, why):
    run = spec()
    _, _, text = live(run)
    with pytest.raises(TraceError, match=f"arrival 5: .*{why}"):
        replay(run, edited(told(text), **fields))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "its first line says no run"),
        ("[]\n", "its first line says no run"),
        ('{"format": 1, "numerics_version": 0, "spec": {}}\n', "NUMERICS_VERSION 0"),
        (trace.first_line(spec().model_copy(update={"engine": None})), "a simulated one"),
        (trace.first_line(spec()) + "0 1 2\n", "not four numbers"),
    ],
)
def test_what_is_no_trace_is_refused(tmp_path, content, why):
    (tmp_path / "a.trace").write_text(content)
    with pytest.raises(TraceError, match=why):
        trace.read(tmp_path / "a.trace")


def test_a_run_with_an_engine_is_not_simulated_by_accident():
    with pytest.raises(ValueError, match="cannot be simulated"):
        train(spec())

"""A finished run made again: identical, or said where not."""

from __future__ import annotations

import json

import pytest

from frl.cli import main
from frl.runs import named
from frl.runs.paths import run_paths
from frl.runs.reproduce import first_difference, reproduce
from frl.runs.runner import run_one
from frl.runs.store import checksum, dump_meta
from frl.spec import RunSpec

SPEC = RunSpec(
    environment="Swimmer",
    algorithm="afedpg",
    n_agents=2,
    seed=3,
    steps_per_agent=128,
    policy={"hidden": (8,)},
    sampling={"lanes": 4, "segment_steps": 8},
    evaluation={"episodes": 1},
)


@pytest.fixture
def run(tmp_path):
    run_one(SPEC, tmp_path, "s")
    return run_paths(SPEC, tmp_path, "s")[0]


def edit(run, table=None, **facts):
    """The run with other content and a checksum that fits."""
    meta_path = run.with_name(f"{run.stem}.meta.json")
    meta = json.loads(meta_path.read_text()) | facts
    table = run.read_bytes() if table is None else table
    meta["checksum"] = checksum(table, meta)
    run.write_bytes(table)
    meta_path.write_bytes(dump_meta(meta))


def test_the_same_bytes(run, capsys):
    assert main(["reproduce", str(run)]) == 0
    assert "identical, byte for byte" in capsys.readouterr().out


def test_another_number_is_named(run, capsys):
    lines = run.read_text().splitlines()
    place = lines[0].split(",").index("train_return_mean")
    cells = lines[2].split(",")
    cells[place] = "1.5"
    edit(run, "\n".join([*lines[:2], ",".join(cells), *lines[3:], ""]).encode())
    with pytest.raises(SystemExit):
        main(["reproduce", str(run)])
    assert "NOT identical" in (said := capsys.readouterr().out)
    assert "line 3, train_return_mean: 1.5 before" in said


def test_another_processor_is_another_draw_with_the_same_clock(run):
    lines = run.read_text().splitlines()
    returns, clock = (lines[0].split(",").index(name) for name in ("eval_return_mean", "sim_time_s"))
    cells = lines[3].split(",")
    cells[returns] = "1.5"
    edit(run, "\n".join([*lines[:3], ",".join(cells), *lines[4:], ""]).encode(), cpu_capability="ABACUS")
    outcome = reproduce(named.read(run))
    assert outcome.agrees
    assert "another draw" in outcome.message
    cells[clock] = "7.0"
    edit(run, "\n".join([*lines[:3], ",".join(cells), *lines[4:], ""]).encode())
    outcome = reproduce(named.read(run))
    assert not outcome.agrees
    assert "line 4, sim_time_s: 7.0 before" in outcome.message


def test_other_code_of_the_same_numerics_has_to_give_the_same_bytes(run, capsys):
    edit(run, digest="0" * 64, code_digest="1" * 64)
    assert main(["reproduce", str(run)]) == 0
    assert "identical, byte for byte" in capsys.readouterr().out


def test_what_cannot_be_made_again_is_refused(run, capsys):
    meta = json.loads(run.with_name(f"{run.stem}.meta.json").read_text())
    for other in (
        {"numerics_version": 0},
        {"versions": {**meta["versions"], "mujoco": "1.0"}},
        {"spec": {**meta["spec"], "a_setting_of_the_past": 1}},
    ):
        edit(run, **{**meta, **other})
        assert main(["reproduce", str(run)]) == 2
        assert "made with another NUMERICS_VERSION or other libraries" in capsys.readouterr().err
    run.write_bytes(run.read_bytes() + b"x")
    with pytest.raises(named.NamedRunError, match="checksum"):
        named.read(run)
    with pytest.raises(named.NamedRunError, match="is not there"):
        named.read(run.with_name("absent.csv"))


def test_first_difference():
    assert first_difference(b"a,b\n1,2\n", b"a,b\n1,3\n") == "line 2, b: 2 before, 3 now"
    assert first_difference(b"a,b\n1,2\n", b"a,b\n1,3\n", ("a",)) == ""
    assert first_difference(b"a\n1\n", b"a\n1\n2\n") == "1 rows before, 2 now"

"""A scenario of the theory lab through every command: cells are jobs like runs, and its products say what they are."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from frl.cli import main
from frl.report.publish import publish
from frl.runs import provenance, validity
from frl.runs.lineage import Lineage
from frl.runs.paths import meta_path, results_of, run_paths
from frl.runs.runner import run_one
from frl.runs.store import Store
from frl.runs.validity import run_digest, state
from frl.scenario.loading import load_scenario
from frl.scenario.products import files, record
from frl.theory import show
from frl.theory.findings import finding
from frl.theory.judge import read

FILE = Path(__file__).resolve().parents[1] / "workflow" / "theory-tiny.yaml"
TINY = load_scenario(FILE)
CELLS = list(TINY.runs())


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Path:
    """The results folder with every step but the report done; not to be edited."""
    results = tmp_path_factory.mktemp("theory")
    for cell in CELLS:
        assert run_one(cell, results, TINY.name) == "trained"
    for step in ("collect", "verdict", "figures"):
        assert frl(step, results) == 0
    return results


@pytest.fixture
def results(made, tmp_path) -> Path:
    shutil.copytree(made, tmp_path / "results")
    return tmp_path / "results"


def frl(step: str, results: Path, *more: str, file: Path = FILE) -> int:
    return main([step, str(file), "--results", str(results), *more])


def edited(folder: Path, old: str, new: str, name: str = "theory-tiny.yaml") -> Path:
    """A copy of the scenario and its claims in which one of the two files is edited."""
    for file in FILE.parent.glob("theory-tiny*.yaml"):
        text = file.read_text(encoding="utf-8")
        if file.name == name:
            assert old in text
            text = text.replace(old, new, 1)
        (folder / file.name).write_text(text, encoding="utf-8")
    return folder / "theory-tiny.yaml"


def stale(results: Path, file: Path = FILE) -> list[str]:
    scenario = load_scenario(file)
    of = Lineage(scenario, results / TINY.name)
    return [step for step in ("collect", "verdict", "figures") if of.problem(step)]


def test_every_step_writes_its_files_and_what_they_were_made_from(made):
    base = made / TINY.name
    for step in ("collect", "verdict", "figures"):
        assert all((base / name).is_file() for name in (*files(step, TINY), record(step)))
    assert stale(made) == []
    assert len(pd.read_csv(base / "cells.csv")) == len(CELLS)
    panels = set(pd.read_csv(base / "estimates.csv")["panel"])
    assert panels == set(TINY.panels)
    assert all(finding(pd.read_csv(base / "estimates.csv"), panel) for panel in panels - {"best"})


def test_a_cell_is_there_or_comes_from_the_store_or_is_made_and_the_bytes_are_the_same(results):
    cell = CELLS[0]
    path = run_paths(cell, results, TINY.name)[0]
    table = path.read_bytes()
    assert run_one(cell, results, TINY.name) == "present"
    path.unlink()
    assert state(cell, results, TINY.name) == "stored"
    assert run_one(cell, results, TINY.name) == "restored"
    shutil.rmtree(results / ".store")
    path.unlink()
    assert run_one(cell, results, TINY.name) == "trained"
    assert path.read_bytes() == table
    path.write_bytes(table + b"9,9,9,9,9\n")
    assert state(cell, results, TINY.name) == "stored"
    assert frl("collect", results) == 0
    assert path.read_bytes() == table


def test_a_cell_is_made_again_byte_for_byte(results, capsys):
    path = run_paths(CELLS[3], results, TINY.name)[0]
    assert main(["reproduce", str(path)]) == 0
    assert "identical, byte for byte" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "name", "expected"),
    [
        ("title: Tiny", "title: Other", "theory-tiny.yaml", []),
        ("[0.8, 0.6, 0.5]", "[0.8, 0.6, 0.4]", "theory-tiny.yaml", ["collect", "verdict", "figures"]),
        ("seeds: [0, 1,", "seeds: [9, 1,", "theory-tiny.yaml", ["collect", "verdict", "figures"]),
        ("step_size: [0.2]", "step_size: [0.3]", "theory-tiny.yaml", ["collect", "verdict", "figures"]),
        ("accept: [0.5, 2]", "accept: [0.5, 3]", "theory-tiny-claims.yaml", ["verdict"]),
    ],
)
def test_an_edit_makes_stale_what_depends_on_it(made, tmp_path, old, new, name, expected):
    assert stale(made, edited(tmp_path, old, new, name)) == expected


def test_a_new_seed_is_a_new_cell_at_the_same_place(made, tmp_path):
    other = next(load_scenario(edited(tmp_path, "seeds: [0, 1,", "seeds: [9, 1,")).runs())
    assert other.run_id == CELLS[0].run_id
    assert state(other, made, TINY.name) == "stale"


def test_without_a_cell_its_panel_has_no_estimates_and_its_claim_is_not_run(results, capsys):
    gone = next(cell for cell in CELLS if cell.panel == "time")
    shutil.rmtree(results / ".store")
    for path in run_paths(gone, results, TINY.name):
        path.unlink()
    assert frl("collect", results) == 2
    assert (
        f"1 cells are missing (--partial goes on without them):\n  {gone.run_id} (not run)" in capsys.readouterr().err
    )
    for step in ("collect", "verdict", "figures"):
        assert frl(step, results, "--partial") == 0
    base = results / TINY.name / "partial"
    assert pd.read_csv(base / "missing.csv")["run_id"].tolist() == [gone.run_id]
    assert "time" not in set(pd.read_csv(base / "estimates.csv")["panel"])
    assert {one.claim: one.verdict for one in read(base).parts} == {"T1": "replicated", "T3": "not run"}
    assert (base / "figures/theory-time.svg").stat().st_size > 0


def test_published_cells_outlive_code_that_alters_no_bytes(results, tmp_path, monkeypatch):
    base = results / TINY.name
    with Lineage(TINY, base).step("report"):
        (base / "report.html").write_text("a report")
    written = {str(path.relative_to(results / "published" / TINY.name)) for path in publish(TINY, results)}
    assert {"cells.csv", "estimates.csv", "verdicts.json", "tables/verdict.csv", "cells.tar.xz"} <= written
    assert not any("runs" in name or name.endswith(".png") for name in written)
    elsewhere = tmp_path / "elsewhere"
    assert Store(elsewhere).import_(results / "published" / TINY.name / "cells.tar.xz") == len(CELLS)
    monkeypatch.setattr(provenance, "cell_code_digest", lambda algorithm: "1" * 64)
    assert {state(cell, elsewhere, TINY.name) for cell in CELLS} == {"stored"}
    assert frl("collect", elsewhere) == 0
    for name in ("estimates.csv", "curves.csv"):
        assert (elsewhere / TINY.name / name).read_bytes() == (base / name).read_bytes()


@pytest.mark.parametrize("step", ["tables", "times", "best", "power"])
def test_what_is_of_training_runs_alone_says_so_in_a_line(made, capsys, step):
    assert frl(step, made) == 2
    told = capsys.readouterr().err
    assert "kind = 'theory': this needs a scenario of training runs" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ((), "choose one with --cell alone"),
        (("--seed", "0", "--cell", CELLS[0].run_id), "choose one with --cell alone"),
        (("--cell", "rates/none"), "--cell = 'rates/none': no cell of scenario 'theory-tiny'"),
    ],
)
def test_train_names_what_is_wrong(tmp_path, capsys, options, told):
    assert frl("train", tmp_path, *options) == 2
    assert told in capsys.readouterr().err


def test_a_training_run_is_not_chosen_by_a_cell(tmp_path, capsys):
    tiny = FILE.with_name("tiny.yaml")
    assert frl("train", tmp_path, "--cell", "rates/none", file=tiny) == 2
    assert "scenario 'tiny' has training runs, not cells" in capsys.readouterr().err
    assert frl("train", tmp_path, "--environment", "Swimmer", "--seed", "0", file=tiny) == 2
    assert "--method, --n-agents: required, but not given" in capsys.readouterr().err


def test_runs_and_plan_know_the_cells(made, capsys):
    assert frl("runs", made) == 0
    assert f"{len(CELLS)} runs: {len(CELLS)} finished" in capsys.readouterr().out
    assert frl("plan", made, "--cores", "2") == 0
    assert f"{len(CELLS)} runs: {len(CELLS)} finished" in capsys.readouterr().out


def test_what_a_cell_costs_is_told_from_past_cells(results, capsys):
    path = run_paths(CELLS[0], results, TINY.name)[0]
    shutil.rmtree(Store(results).folder(run_digest(CELLS[0])))
    path.unlink()
    assert frl("plan", results, "--cores", "1") == 0
    told = capsys.readouterr().out
    assert "quadratic, gaussian gradients, 6 seeds: 1 runs to train, 0.0 M gradients at" in told
    assert "gradients/s (21 past runs)" in told


def test_a_cell_executes_nothing_of_the_package_that_its_digest_does_not_cover():
    code = (
        "import sys\nfrom frl.scenario.loading import load_scenario\nfrom frl.runs.validity import code_digest\n"
        f"cells = {{c.algorithm: c for c in load_scenario({str(FILE)!r}).runs()}}\nseen = {{}}\n"
        "from frl.theory.cells.execute import execute\n"
        "def note(frame, event, argument):\n    seen[frame.f_globals.get('__name__', '')] = 1\n"
        "sys.setprofile(note)\nexecute(cells[sys.argv[1]])\nsys.setprofile(None)\n"
        "print(*sorted(n for n in seen if n.startswith('frl')))"
    )
    for algorithm in ("afedpg", "async_pg", "fedpg"):
        done = subprocess.run([sys.executable, "-c", code, algorithm], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        covered = provenance.closure(
            provenance.SRC,
            ("frl.theory.cells.execute", provenance.SERVERS[algorithm].__module__),
            "frl",
            provenance.OPAQUE,
        )
        assert {"frl.theory.cells.driver", "frl.training.clock"} <= set(done.stdout.split())
        assert set(done.stdout.split()) - {"frl.spec", "frl.settings"} <= set(covered)
        others = {"frl.theory.estimates", "frl.training.agent", "frl.report"}
        assert not others & set(covered)


def test_meta_data_say_what_was_run_on_what(made):
    meta = json.loads(meta_path(run_paths(CELLS[0], made, TINY.name)[0]).read_text())
    assert meta["spec"] == CELLS[0].given()
    assert meta["digest"] == run_digest(CELLS[0])
    assert meta["gradients"] == 200 * 6
    assert set(meta["versions"]) == {"python", "numpy", "scipy", "frl"}


def test_a_new_learner_leaves_cells_what_they_are(monkeypatch):
    """They train nothing: what is published of them stays accepted, with a version of its own."""
    cell, run = CELLS[0], CELLS[0].run_spec(0)
    before = [validity.published_key(one) for one in (cell, run)]
    monkeypatch.setattr(validity, "NUMERICS_VERSION", validity.NUMERICS_VERSION + 1)
    assert [validity.published_key(one) == key for one, key in zip((cell, run), before, strict=True)] == [True, False]
    monkeypatch.setattr(validity, "THEORY_VERSION", validity.THEORY_VERSION + 1)
    assert validity.published_key(cell) != before[0]


def test_a_cell_lies_where_a_run_does(tmp_path):
    assert results_of(run_paths(CELLS[0], tmp_path, TINY.name)[0]) == tmp_path


def test_the_trials_behind_the_settings_are_shown(tmp_path):
    assert show.trials(TINY) == ""
    (tmp_path / "tried.csv").write_text("step_size,entropy,area\n0.125,,31.5\n0.25,,12.5\n")
    shown = show.trials(load_scenario(edited(tmp_path, "title: Tiny", "title: Tiny\ntrials: tried.csv")))
    assert "<summary>What was tried to find the settings (2)</summary>" in shown
    assert re.findall(r"<t[hd]\b[^>]*>(.*?)</t[hd]>", shown) == ["step_size", "area", "0.125", "31.5", "0.25", "12.5"]


def test_a_cell_has_no_policy_to_play(made, capsys):
    path = run_paths(CELLS[0], made, TINY.name)[0]
    assert main(["evaluate", str(path)]) == 2
    assert "trains no policy" in capsys.readouterr().err


def test_watch_tells_of_cells(made, capsys):
    assert frl("watch", made, "--once") == 0
    assert f"{len(CELLS)} of {len(CELLS)} runs done" in (told := capsys.readouterr().out)
    assert "gradients/s" in told


REGISTERED = {
    "claims-theory.yaml": "990bd889bcbe58497564e81c13e309b3ee512c8f9e0eae203f048679bdde6e8c",
    "claims-adversaries-theory.yaml": "2a41d017db56ff1676c8196d3d7af3fec4ccb0a9bd8dc4fdbaedbd219def5387",
    "claims-rennala-theory.yaml": "a9e8e1c13bccb7f597eb4e374be94c7f8cac7e8fa14c019b449c296364a32219",
}
"""Committed before any reported cell was run; a claim that is edited afterwards is none."""


@pytest.mark.parametrize("name", REGISTERED)
def test_the_registered_claims_are_as_they_were(name):
    claims = FILE.parents[2] / "config" / name
    assert hashlib.sha256(claims.read_bytes()).hexdigest() == REGISTERED[name]

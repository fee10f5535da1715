"""Products say what they were made from, and whoever reads them asks: nothing stale, copied or edited is built upon."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import synthetic

from frl.analysis import load
from frl.runs import provenance
from frl.runs.lineage import Lineage, StaleError
from frl.runs.store import checksum
from frl.scenario.products import STEPS, files, record
from frl.scenario.scenario import Scenario

SMALL = synthetic.scenario(seeds=(0, 1), methods={"afedpg": (1, 2), "fedpg": (2,)})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results folder of SMALL with all products; not to be edited."""
    results = tmp_path_factory.mktemp("built")
    synthetic.write_all(results, SMALL)
    synthetic.build(results, SMALL)
    return results


@pytest.fixture
def results(built: Path, tmp_path: Path) -> Path:
    shutil.copytree(built, tmp_path / "results")
    return tmp_path / "results"


def changed(**more: object) -> Scenario:
    """SMALL with other keys."""
    return Scenario.model_validate({**json.loads(SMALL.model_dump_json()), **more})


def stale(results: Path, scenario: Scenario = SMALL, **more: object) -> set[str]:
    """The steps whose files are not the scenario's, as seen by whoever would read them."""
    of = Lineage(scenario, results / SMALL.name, **more)  # type: ignore[arg-type]
    return {step for step in of.steps if of.problem(step)}


def test_what_was_just_built_belongs(results: Path) -> None:
    assert stale(results) == set()


def test_a_film_that_came_or_went_makes_the_report_stale(results: Path) -> None:
    film = results / SMALL.name / "gaits/a.gif"
    film.parent.mkdir()
    film.write_bytes(b"film")
    assert stale(results) == {"report"}
    report = Lineage(SMALL, results / SMALL.name)
    report.record("report", report._made_from("report"))
    assert stale(results) == set()
    film.unlink()
    assert stale(results) == {"report"}


AFTER_COLLECT = set(STEPS)
RUN = {"steps_per_agent": synthetic.STEPS, "evaluation": {"episodes": 10}}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"run": {**RUN, "steps_per_agent": synthetic.STEPS // 2}}, AFTER_COLLECT),
        ({"run": {**RUN, "critic": {"memory": 0.5}}}, AFTER_COLLECT),
        ({"seeds": (0,)}, AFTER_COLLECT),
        ({"seeds": (0, 1, 2)}, AFTER_COLLECT),
        ({"seeds": (1, 0)}, AFTER_COLLECT),
        ({"title": "Another"}, {"figures", "tables", "verdict", "report"}),
        ({"thresholds": {"Swimmer": "61 return"}}, {"figures", "tables", "verdict", "report"}),
        ({"tuning_times": "a,b\n1,2\n"}, {"report"}),
        ({"claims": None}, {"figures", "tables", "report"}),
    ],
    ids=lambda value: None if isinstance(value, set) else str(value),  # a set is in another order every time
)
def test_an_edited_scenario(results: Path, more: dict[str, object], expected: set[str]) -> None:
    assert stale(results, changed(**more)) == expected


def test_edited_claims(results: Path) -> None:
    claims = json.loads(SMALL.model_dump_json())["claims"]
    claims["claims"][0]["statement"] += " Edited."
    assert stale(results, changed(claims=claims)) == {"figures", "tables", "verdict", "report"}


def no_file(path: Path) -> None:
    path.unlink()


def other_bytes(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\n")


def no_bytes(path: Path) -> None:
    path.write_bytes(b"\xff")


def deep(path: Path) -> None:
    path.write_bytes(b"[" * 100_000)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damage", [no_file, other_bytes, no_bytes, a_folder])
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("curves.csv", AFTER_COLLECT),
        ("missing.csv", AFTER_COLLECT),
        ("figures/sample_complexity.pdf", {"figures", "report"}),
        ("tables/final_return.md", {"tables", "report"}),
        ("tables/verdict.csv", {"verdict", "figures", "report"}),
        ("report.html", {"report"}),
    ],
)
def test_a_file_deleted_or_edited(results: Path, file: str, expected: set[str], damage: Callable[[Path], None]) -> None:
    damage(results / SMALL.name / file)
    assert stale(results) == expected


@pytest.mark.parametrize(
    "damage", [no_file, no_bytes, a_folder, deep, lambda path: path.write_text('{"made_from": {}}')]
)
@pytest.mark.parametrize(("step", "expected"), [("collect", AFTER_COLLECT), ("tables", {"tables", "report"})])
def test_a_record_deleted_or_damaged(
    results: Path, step: str, expected: set[str], damage: Callable[[Path], None]
) -> None:
    damage(results / SMALL.name / f"provenance/{step}.json")
    assert stale(results) == expected


def test_files_of_another_scenario_with_their_records(results: Path, tmp_path: Path) -> None:
    """Equal names and shapes; what differs is a step size."""
    other = changed(run={**RUN, "critic": {"memory": 0.5}})
    synthetic.write_all(tmp_path / "other", other)
    synthetic.build(tmp_path / "other", other)
    shutil.copytree(tmp_path / "other" / other.name / "figures", results / SMALL.name / "figures", dirs_exist_ok=True)
    shutil.copy(tmp_path / "other" / other.name / "provenance/figures.json", results / SMALL.name / "provenance")
    assert stale(results) == {"figures", "report"}


@pytest.mark.parametrize(
    ("step", "expected"),
    [("collect", AFTER_COLLECT), ("verdict", {"verdict", "figures", "report"}), ("report", {"report"})],
)
def test_edited_code(results: Path, step: str, expected: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    code = Lineage._code
    monkeypatch.setattr(Lineage, "_code", lambda self, name: "edited" if name == step else code(self, name))
    assert stale(results) == expected


def test_runs_of_other_training_code(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provenance, "code_digest", lambda algorithm: "1" * 64)
    assert stale(results) == AFTER_COLLECT


def test_edited_notebooks_and_code_cells(results: Path, tmp_path: Path) -> None:
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    (notebooks / "1.py").write_text("# %%\n1")
    of = Lineage(SMALL, results / SMALL.name, notebooks=notebooks, code=False)
    with of.step("report"):
        (of.base / "report.html").write_text("<html>")
    assert stale(results, notebooks=notebooks, code=False) == set()
    assert stale(results, notebooks=notebooks, code=True) == {"report"}
    (notebooks / "1.py").write_text("# %%\n2")
    assert stale(results, notebooks=notebooks) == {"report"}
    assert stale(results) == set()


def test_a_step_refuses_inputs_that_do_not_belong_and_leaves_its_own_files(results: Path) -> None:
    base = results / SMALL.name
    before = (base / "provenance/tables.json").read_bytes()
    with (
        pytest.raises(
            StaleError, match=r"curves.csv: .* made by other settings.*`frl collect SCENARIO\.yaml`, or snakemake"
        ),
        Lineage(changed(run={**RUN, "steps_per_agent": synthetic.STEPS // 2}), base).step("tables"),
    ):
        pytest.fail("it must not begin")
    assert (base / "provenance/tables.json").read_bytes() == before
    (base / "figures/sample_complexity.svg").unlink()
    with pytest.raises(StaleError, match=r"sample_complexity.svg is not there; run `frl figures"):
        Lineage(SMALL, base).require("tables", "report")


def test_a_step_that_fails_leaves_no_record_that_fits(results: Path) -> None:
    of = Lineage(SMALL, results / SMALL.name)
    step = of.step("tables")
    step.__enter__()
    (of.base / "tables/final_return.csv").write_text("half")
    step.__exit__(RuntimeError, RuntimeError("physics"), None)
    assert stale(results) == {"tables", "report"}


def test_files_of_figures_that_are_no_longer_wanted_are_removed(results: Path) -> None:
    base = results / SMALL.name
    only = changed(figures={"sample_complexity": {"afedpg": "A"}})
    (base / "figures/mine.svg").write_text("a reader's own")
    lineage = Lineage(only, base)
    for step in ("verdict", "figures"):
        with lineage.step(step):
            pass
    names = {path.stem for path in (base / "figures").iterdir()}
    assert "time_complexity" not in names
    assert {"sample_complexity", "mine"} <= names


def test_files_of_a_verdict_that_is_no_longer_asked_for_are_removed(results: Path) -> None:
    base = results / SMALL.name
    verdict = [base / name for name in (*files("verdict"), record("verdict"))]
    assert all(path.exists() for path in verdict)
    with Lineage(changed(claims=None), base).step("figures"):
        pass
    assert not any(path.exists() for path in verdict)


def test_what_is_missing_from_a_part_is_part_of_it(results: Path) -> None:
    first = synthetic.run_path(results, SMALL, next(SMALL.runs()))
    first.unlink()
    base = results / SMALL.name / "partial"
    load.collect(SMALL, results, base, partial=True)
    assert Lineage(SMALL, base, partial=True).problem("collect") is None
    assert "other runs" in str(Lineage(SMALL, base).problem("collect"))


def test_a_published_run_belongs_whatever_code_made_it(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for spec in SMALL.runs():
        path = synthetic.run_path(results, SMALL, spec)
        facts = json.loads(path.with_name(f"{path.stem}.meta.json").read_text()) | {"published": "toy"}
        synthetic.write_files(path, path.read_text(), facts)
    monkeypatch.setattr(provenance, "code_digest", lambda algorithm: "1" * 64)
    load.collect(SMALL, results, results / SMALL.name, partial=False)
    assert "collect" not in stale(results)
    assert "collect" in stale(results, changed(run={**RUN, "critic": {"memory": 0.5}}))


def test_the_record_names_each_run_by_its_checksum(results: Path) -> None:
    path = synthetic.run_path(results, SMALL, next(SMALL.runs()))
    facts = json.loads(path.with_name(f"{path.stem}.meta.json").read_text())
    rest = {key: value for key, value in facts.items() if key != "checksum"}
    assert Lineage(SMALL, results / SMALL.name).runs()["Swimmer/afedpg/n1/seed0"] == checksum(path.read_bytes(), rest)

"""Published runs are accepted whatever code made them: so the present code must make them again, byte for byte."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import pytest

from frl.runs import named
from frl.runs.provenance import LIBRARIES, library_versions
from frl.runs.reproduce import reproduce
from frl.runs.store import Store, key_of_published
from frl.runs.validity import published_key
from frl.scenario.loading import load_scenario
from frl.training.numerics import NUMERICS_VERSION

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "results/published"
ARCHIVES = sorted(PUBLISHED.glob("*/runs.tar.xz"))
CHECKED = 2


def promised(meta: dict) -> bool:
    """Whether the present code promises this run's bytes."""
    made = [f"{name} {meta['versions'][name].split('+')[0]}" for name in LIBRARIES]
    return meta["numerics_version"] == NUMERICS_VERSION and made == library_versions()


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> list[Path]:
    """The published runs of this NUMERICS_VERSION that are trained soonest."""
    results = tmp_path_factory.mktemp("published")
    store = Store(results)
    for archive in ARCHIVES:
        store.import_(archive)
    entries = [entry for digest in store.digests() if (entry := store.get(digest))]
    metas = [(json.loads(meta), meta, table) for table, meta in entries]
    cost = {id(facts): facts["env_steps_total"] + facts["eval_steps"] for facts, _, _ in metas}
    found = sorted((one for one in metas if promised(one[0])), key=lambda one: cost[id(one[0])])[:CHECKED]
    for number, (_, meta, table) in enumerate(found):
        (results / f"{number}.csv").write_bytes(table)
        (results / f"{number}.meta.json").write_bytes(meta)
    return [results / f"{number}.csv" for number in range(len(found))]


def test_there_are_published_runs_to_check(runs):
    """After NUMERICS_VERSION was raised: publish runs of the new version."""
    assert len(runs) == CHECKED, f"no two runs of NUMERICS_VERSION {NUMERICS_VERSION} in {[*map(str, ARCHIVES)]}"


@pytest.mark.parametrize("number", range(CHECKED))
def test_a_published_run_is_made_again(runs, number):
    outcome = reproduce(named.read(runs[number]))
    assert outcome.agrees, outcome.message


@pytest.mark.parametrize("name", sorted(path.parent.name for path in PUBLISHED.glob("*/cells.tar.xz")))
def test_published_cells_are_the_scenarios_and_one_is_made_again(name, tmp_path):
    """Of the theory lab: the one with the fewest gradients."""
    cells: dict[str, dict[str, bytes]] = {}
    with tarfile.open(PUBLISHED / name / "cells.tar.xz") as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            cells.setdefault(member.name.split("/")[1], {})[member.name.split("/")[2]] = content.read()
    metas = {digest: json.loads(files["meta.json"]) for digest, files in cells.items()}
    wanted = {published_key(cell) for cell in load_scenario(ROOT / f"config/{name}.yaml").runs()}
    assert {key_of_published(meta) for meta in metas.values()} == wanted
    digest = min(metas, key=lambda one: metas[one]["gradients"])
    for file, suffix in (("run.csv", ".csv"), ("meta.json", ".meta.json")):
        (tmp_path / f"cell{suffix}").write_bytes(cells[digest][file])
    outcome = reproduce(named.read(tmp_path / "cell.csv"))
    assert outcome.agrees, outcome.message

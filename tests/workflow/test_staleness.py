"""Whatever happened before, a plain `snakemake` ends with the report of a fresh build, or the step refuses."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from toy import ACTIONS, Toy, built_anew

FRESH: dict[str, dict[str, bytes]] = {}
"""Products of a fresh build, by the digest of its sources."""


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Toy:
    """The toy project, built by Snakemake; not to be edited."""
    toy = Toy.fresh(tmp_path_factory.mktemp("toy") / "project")
    done = toy.snakemake()
    assert done.returncode == 0, done.stdout + done.stderr
    return toy


def check(toy: Toy, actions: list[str]) -> None:
    """Do all that to a copy; then one `snakemake` ends where a fresh build does, and the next one has nothing to do."""
    folder = Path(tempfile.mkdtemp(prefix="frl-staleness-"))
    try:
        copy = toy.copy(folder / "project")
        for action in actions:
            ACTIONS[action](copy)
        done = copy.snakemake()
        assert done.returncode == 0, done.stdout + done.stderr
        if copy.state() not in FRESH:
            FRESH[copy.state()] = built_anew(copy, folder / "fresh")
        assert copy.products() == FRESH[copy.state()]
        assert "Nothing to be done" in (again := copy.snakemake("-n")).stdout + again.stderr
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_times_of_files_make_nothing_out_of_date(toy: Toy, tmp_path: Path) -> None:
    copy = toy.copy(tmp_path / "project")
    copy.delete(".snakemake")
    copy.lose_times()
    assert "Nothing to be done" in (done := copy.snakemake("-n")).stdout + done.stderr


@pytest.mark.parametrize(
    "actions",
    [
        ["delete .snakemake", "edit a setting"],
        ["set aside", "edit the claims", "frl train", "edit the seeds", "bring back all", "travel"],
    ],
    ids=lambda actions: ", ".join(actions),
)
def test_one_snakemake_ends_where_a_fresh_build_does(toy: Toy, actions: list[str]) -> None:
    check(toy, actions)


@pytest.mark.suite("long")
@settings(max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(actions=st.lists(st.sampled_from(sorted(ACTIONS)), min_size=1, max_size=8))
def test_any_sequence_ends_where_a_fresh_build_does(toy: Toy, actions: list[str]) -> None:
    check(toy, actions)

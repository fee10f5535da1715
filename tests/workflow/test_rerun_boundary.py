"""What an edit reruns: training code its own algorithms, analysis code nothing that was trained."""

from __future__ import annotations

import pytest

ALGORITHMS = {"afedpg": 4, "fedpg": 2, "a3c": 2}  # runs of each in tiny.yaml
AFEDPG = "src/frl/training/servers/afedpg.py"


def test_finished_runs_are_not_trained_again(finished):
    plan = finished.planned()
    assert plan.jobs["train"] == 0
    assert plan.jobs["collect"] == plan.jobs["report"] == 1


HARMLESS = [
    (AFEDPG, "# 1. receive g", "# 1. take g"),
    (AFEDPG, '"""AFedPG: asynchronous', '"""AFedPG, asynchronous'),
    ("src/frl/training/servers/async_pg.py", "self.step += 1", "self.step += 2"),
    ("src/frl/training/policy.py", '"""', '"""Edited. '),
    ("src/frl/settings.py", "Discount factor per environment step.", "The discount factor."),
    ("src/frl/spec.py", '    "fedpg": FedPG,', '    "fedpg": FedPG,\n    "another": FedPG,'),
    ("src/frl/report/figures/complexity.py", "\ndef ", "\nEDITED = 1\n\n\ndef "),
    ("workflow/rules/train.smk", "mem_mb=lambda wildcards, attempt:", "mem_mb=lambda wildcards, attempt: 2000 +"),
    ("src/frl/__init__.py", "__version__", "EDITED = 1\n__version__"),
    ("src/frl/runs/runner.py", "\ndef ", "\nEDITED = 1\n\n\ndef "),
    ("src/frl/scenario/scenario.py", "\ndef ", "\nEDITED = 1\n\n\ndef "),
    ("config/tiny.yaml", "title: Tiny", "title: Still tiny"),
    ("config/tiny.yaml", "5 return", "6 return"),
]


def test_harmless_edits_retrain_nothing(editable):
    """Comments, docstrings, help texts, a figure, another server, a new server, resources, thresholds: all at once."""
    for file, old, new in HARMLESS:
        editable.edit(file, old, new)
    (editable.root / "src/frl/training/servers/new.py").write_text("import numpy\n", encoding="utf-8")
    assert not editable.planned().train


@pytest.mark.parametrize(
    ("file", "old", "new", "retrained"),
    [
        (AFEDPG, "eta * direction", "2 * eta * direction", {"afedpg": 4}),
        ("src/frl/training/policy.py", "\nclass ", "\nEDITED = 1\n\n\nclass ", ALGORITHMS),
        ("src/frl/spec.py", "np.random.PCG64(", "np.random.PCG64DXSM(", ALGORITHMS),
        ("src/frl/training/execute.py", "repr(float(value))", "repr(round(float(value), 9))", ALGORITHMS),
        ("src/frl/training/numerics.py", "NUMERICS_VERSION = ", "NUMERICS_VERSION = 1 + ", ALGORITHMS),
        ("config/tiny.yaml", "steps_per_agent: 512", "steps_per_agent: 1024", ALGORITHMS),
        ("config/tiny.yaml", "seeds: [0, 1]", "seeds: [0, 1, 2]", {"afedpg": 2, "fedpg": 1, "a3c": 1}),
    ],
    ids=["afedpg.py", "policy.py", "seed streams", "CSV", "numerics", "budget", "one more seed"],
)
def test_these_edits_retrain_exactly(editable, file, old, new, retrained):
    editable.edit(file, old, new)
    assert editable.planned().train == retrained


def test_an_edit_taken_back_is_restored_from_the_store(editable):
    """Snakemake deletes the runs before the rerun; the rerun fails; with the old code they are back untrained."""
    editable.edit(AFEDPG, "eta * direction", "eta * direction.broken")
    run = "results/tiny/runs/Swimmer/afedpg/n2/seed1.csv"
    before = (editable.root / run).read_bytes()
    failed = editable.snakemake("--cores", "1", run)
    assert failed.returncode == 1
    assert "AttributeError" in failed.stdout + failed.stderr, "the failed job's log is not shown"
    assert not (editable.root / run).exists()
    editable.edit(AFEDPG, "eta * direction.broken", "eta * direction")
    assert editable.planned(run).train == {"afedpg": 1}
    restored = editable.snakemake("--cores", "1", run)
    assert restored.returncode == 0, restored.stderr
    assert "1 of 8 runs were put in their places from the store" in restored.stderr
    assert (editable.root / run).read_bytes() == before

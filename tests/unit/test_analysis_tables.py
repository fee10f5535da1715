"""Tables: numbers against the made-up runs' law, bounds and intervals as printed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic

from frl.analysis import load
from frl.analysis.quantity import Quantity
from frl.report import settings
from frl.report.tables import summary
from frl.report.tables.table import Column, Table, read_fragment
from frl.scenario.products import TABLES
from frl.scenario.scenario import Scenario

NAN = float("nan")


def collected(tmp_path: Path, scenario: Scenario, **options: object) -> Path:
    synthetic.write_all(tmp_path, scenario, **options)  # type: ignore[arg-type]
    base = tmp_path / scenario.name
    load.collect(scenario, tmp_path, base, partial=False)
    return base


def rows_of(base: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(base / "tables" / f"{name}.csv")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Quantity(1234.5), "1,234"),
        (Quantity(10.0, 8.0, 12.0), "10 [8, 12]"),
        (Quantity(10.0, 8.0, np.inf), "10 [8, ∞]"),
        (Quantity(3.0, -np.inf, 4.0), "3 [−∞, 4]"),
        (Quantity(NAN), "–"),
        (None, "–"),
        (7, "7"),
    ],
)
def test_how_values_are_printed(value: Quantity | int | None, text: str) -> None:
    assert Column("x", "x", "count").show(value) == text


def test_bytes_and_shares_have_units() -> None:
    assert [Column("x", "x", "bytes").show(v) for v in (12.0, 19_000, 999_600, 7.4e6, 2e13)] == [
        "12 B", "19 kB", "1 MB", "7.4 MB", "20 TB",
    ]  # fmt: skip
    assert Column("x", "x", "share").show(2 / 3) == "67 %"


def test_html_is_escaped_and_markdown_is_a_table(tmp_path: Path) -> None:
    columns = (Column("a", "a < b"), Column("b", "b", "ratio", quantity=True))
    table = Table("t", "T & U", "note", columns, [{"a": "<x>", "b": Quantity(2.0, 1.5)}])
    table.write(tmp_path)
    assert "&lt;x&gt;" in table.html()
    assert r"| \<x> | 2.00 |" in table.markdown()  # no interval without its other end
    fragment = read_fragment(tmp_path / "t.html")
    assert fragment.startswith("<figure")
    assert fragment.endswith("</figure>")
    assert (tmp_path / "t.csv").read_text() == "a,b,b_low,b_high\n<x>,2.0,1.5,\n"


def test_every_table_in_every_form_and_twice_the_same(tmp_path: Path) -> None:
    scenario = synthetic.scenario()
    base = collected(tmp_path, scenario)
    summary.write(scenario, base)
    files = {path.name: path.read_bytes() for path in (base / "tables").iterdir()}
    assert set(files) == {f"{name}.{kind}" for name in TABLES for kind in ("csv", "md", "html")}
    summary.write(scenario, base)
    assert files == {path.name: path.read_bytes() for path in (base / "tables").iterdir()}


def test_numbers_of_the_tables(tmp_path: Path) -> None:
    scenario = synthetic.scenario(seeds=(0, 1, 2, 3, 4))
    base = collected(tmp_path, scenario)
    summary.write(scenario, base)
    samples = rows_of(base, "samples_to_threshold").set_index(["method", "n_agents"])
    # the law is a function of N^0.75 times the steps
    assert samples.loc[("AFedPG", 8), "speedup"] == pytest.approx(8**0.75, rel=0.1)
    assert samples.loc[("AFedPG", 8), "speedup_low"] <= samples.loc[("AFedPG", 8), "speedup"]
    assert pd.isna(samples.loc[("AFedPG", 1), "speedup"])
    assert samples.loc[("AFedPG", 8), "reached"] == 1
    assert samples.loc[("AFedPG", 1), "poster"] == pytest.approx(293_000, rel=0.02)
    ratio = rows_of(base, "time_ratio").iloc[0]
    # same law against steps but for the pace (0.8), so the time ratio is the waiting gain over it
    assert ratio["ratio"] == pytest.approx(3.25 / 0.8, rel=0.1)
    assert ratio["waiting_gain"] == pytest.approx(3.25)
    bytes_ = rows_of(base, "communication").set_index(["method", "n_agents"])
    assert (bytes_["bytes_per_upload"] == synthetic.GRADIENT_BYTES).all()
    assert bytes_.loc[("AFedPG", 8), "uploads"] == np.ceil(8 * synthetic.STEPS / 2048)
    speed = rows_of(base, "throughput")
    assert (speed["env_steps_per_s"] == 20_000).all()
    final = rows_of(base, "final_return").set_index(["method", "n_agents"])
    assert final.loc[("AFedPG", 8), "share_above"] == 1
    assert (final["final_return_low"] < final["final_return"]).all()


def test_one_table_says_what_the_others_say_of_tasks_with_seeds_and_methods_of_their_own(tmp_path: Path) -> None:
    methods = [
        {"algorithm": "fedpg", "n_agents": (4,), "environments": ("Swimmer",)},
        {"algorithm": "afedpg", "n_agents": (1, 4)},
    ]
    seeds = {"Swimmer": tuple(range(6)), "Hopper": (0, 1, 2)}
    scenario = synthetic.scenario(("Swimmer", "Hopper"), seeds, methods, claims=None)  # type: ignore[arg-type]
    base = collected(tmp_path, scenario)
    summary.write(scenario, base)
    who = ["environment", "method", "n_agents"]
    results, *others = (
        rows_of(base, name).set_index(who)
        for name in ("results", "samples_to_threshold", "time_to_threshold", "final_return", "communication")
    )
    assert list(results.index) == [
        ("Swimmer", "FedPG", 4), ("Swimmer", "AFedPG", 1), ("Swimmer", "AFedPG", 4),
        ("Hopper", "AFedPG", 1), ("Hopper", "AFedPG", 4),
    ]  # fmt: skip
    samples, time, final, sent = (one.loc[results.index] for one in others)
    assert list(results["seeds"]) == [6, 6, 6, 3, 3]
    for here, there in (
        ("samples", samples["time"]), ("speedup_low", samples["speedup_low"]), ("reached", samples["reached"]),
        ("time_high", time["time_high"]), ("final_return", final["final_return"]),
        ("uplink_bytes", sent["uplink_bytes"]),
    ):  # fmt: skip
        pd.testing.assert_series_equal(results[here], there, check_names=False)
    ratio = rows_of(base, "time_ratio").iloc[0]
    assert results.loc[("Swimmer", "AFedPG", 4), "ratio"] == ratio["ratio"]
    assert results["ratio"].notna().sum() == 1
    assert "agents" not in results
    assert "diverged" not in results


def test_a_seed_that_never_gets_there_counts_as_the_horizon_and_a_missing_cell_is_a_row_of_dashes(
    tmp_path: Path,
) -> None:
    scenario = synthetic.scenario(threshold="119.9 return")
    base = collected(tmp_path, scenario, noise=0.0)
    for seed in scenario.seeds:
        synthetic.run_path(tmp_path, scenario, scenario.resolve("Swimmer", "a3c", 4, seed)).unlink()
    load.collect(scenario, tmp_path, base, partial=True)
    summary.write(scenario, base)
    samples = rows_of(base, "samples_to_threshold").set_index(["method", "n_agents"])
    assert samples.loc[("AFedPG", 1), "time"] == pytest.approx(samples.loc[("AFedPG", 1), "horizon"])
    assert samples.loc[("AFedPG", 1), "horizon"] == pytest.approx(synthetic.STEPS, rel=0.03)
    assert samples.loc[("AFedPG", 1), "reached"] == 0
    assert samples.loc[("A3C-style", 4), "seeds"] == 0
    text = (base / "tables" / "samples_to_threshold.md").read_text()
    assert "| Swimmer | A3C-style | 4 | 119.9 | – | – | – | – |" in text


def test_diverged_runs_are_counted(tmp_path: Path) -> None:
    scenario = synthetic.scenario()
    base = collected(tmp_path, scenario, diverging=("Swimmer/fedpg/n4/seed1",))
    summary.write(scenario, base)
    final = rows_of(base, "final_return").set_index("method")
    assert final.loc["FedPG", "diverged"] == 1
    assert final.loc["FedPG", "seeds"] == 3


def test_provenance_lists_every_setting_once(tmp_path: Path) -> None:
    scenario = synthetic.scenario()
    shared, different = settings.settings(scenario)
    spec = next(scenario.runs())
    flat = settings.flatten(spec.model_dump(mode="json", exclude={"environment", "algorithm", "n_agents", "seed"}))
    assert set(flat) == (set(shared["setting"]) | set(different["setting"])) & set(flat)
    assert list(different.columns[1:]) == [
        "AFedPG, N = 1, 2, 4, 8",
        "FedPG, N = 4",
        "Vanilla, N = 4",
        "A3C-style, N = 4",
    ]
    assert "fleet.ratio" in set(shared["setting"])
    assert "algorithm" not in set(flat) | set(shared["setting"]) | set(different["setting"])
    runs = load.read_runs(collected(tmp_path, scenario))
    assert settings.versions(runs).set_index("what").loc["torch", "version"] == "2.13.0"
    assert settings.machines(runs)["runs"].tolist() == [21]


def test_provenance_says_which_algorithm_a_named_method_is() -> None:
    methods = [{"algorithm": "a3c", "n_agents": (2,)}, {"name": "x", "algorithm": "afedpg", "n_agents": (2,)}]
    _, different = settings.settings(synthetic.scenario(methods=methods))
    assert different.set_index("setting").loc["algorithm"].to_dict() == {
        "A3C-style, N = 2": "a3c",
        "x, N = 2": "afedpg",
    }

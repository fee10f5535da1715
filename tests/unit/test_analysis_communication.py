"""Communication: who uploaded when, what is compared with what, the table, the figures and the privacy table."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import synthetic
from matplotlib.collections import EventCollection

from frl.analysis import load, uploads
from frl.analysis.thresholds import crossing
from frl.analysis.uploads import EQUAL, UNEQUAL, Group, answers, longest_skip, silent
from frl.report import page as report
from frl.report.figures import draw, pareto, style, traffic
from frl.report.figures import uploads as raster
from frl.report.tables import communication, summary
from frl.scenario.products import figure_names
from frl.scenario.scenario import Scenario
from frl.settings import HeterogeneitySpec

LABELS = {"pg": "PG", "lapg": "LAPG", "pg-u": "PG", "lapg-u": "LAPG"}


def scenario(**more: Any) -> Scenario:
    unequal = {"set": {"heterogeneity": {"gear": [0.5, 2.0]}}}
    plain = {"algorithm": "fedpg", "n_agents": (2, 4), "server": {"variant": "plain"}}
    methods = [
        {"name": "pg", **plain},
        {"algorithm": "lapg", "n_agents": (2, 4)},
        {"name": "pg-u", **plain, **unequal},
        {"name": "lapg-u", "algorithm": "lapg", "n_agents": (2, 4), **unequal},
        {"name": "lapg-c0", "algorithm": "lapg", "n_agents": (4,), "server": {"variance_multiplier": 0}},
    ]
    return synthetic.scenario(
        methods=methods, figures={"communication": LABELS}, seeds=tuple(range(6)), episodes=4, claims=None, **more
    )


def test_who_uploaded_when_is_read_from_the_log() -> None:
    rows = pd.DataFrame({"point": [1, 0, 2], "uploaded": ["101/000", "/", "1/1"]})
    np.testing.assert_array_equal(answers(rows), [[1, 0, 1, 1], [0, 0, 0, 1]])
    assert longest_skip(answers(rows)) == 3
    ended_early = pd.DataFrame({"point": [0, 1], "uploaded": ["/", "1010/010"]})  # within the fourth round
    np.testing.assert_array_equal(answers(ended_early), [[1, 0, 1], [0, 1, 0]])
    assert longest_skip(np.ones((2, 5), dtype=bool)) == 0
    assert longest_skip(np.array([[1, 0, 0, 1, 0], [1, 1, 1, 1, 0]], dtype=bool)) == 2


def test_agents_that_never_upload_again_are_counted() -> None:
    rows = pd.DataFrame({"environment": "Swimmer", "method": "lapg", "n_agents": 2, "seed": [0, 0, 1, 1]})
    rows = rows.assign(point=[0, 1, 0, 1], uploaded=["/", "1100/1101", "/", "1000/1010"])
    cell = ("Swimmer", "lapg", 2)
    assert [silent(rows, cell, forced) for forced in (0, 1, 2)] == ["0 of 4", "1 of 4", "2 of 4"]


def test_of_agents_that_were_forced_to_upload_till_the_end_nothing_is_said() -> None:
    cell = ("Swimmer", "lapg", 2)
    rows = pd.DataFrame({"environment": "Swimmer", "method": "lapg", "n_agents": 2, "seed": [0, 0, 1, 1]})
    rows = rows.assign(point=[0, 1, 0, 1], uploaded=["/", "11/11", "/", "1100/1100"])
    assert silent(rows, cell, 4) is None
    assert silent(rows, cell, 2) == "2 of 2"  # of the seed that went on
    alone = rows.assign(n_agents=1, uploaded=[None, None, None, None])  # not a single answer
    assert silent(alone, ("Swimmer", "lapg", 1), 0) is None
    assert np.isnan(uploads.longest_skips(alone, ("Swimmer", "lapg", 1))).all()
    of = scenario()
    whole = synthetic.frame(of)
    table = communication.table(of, whole[whole["server_step"] < 10])  # fewer rounds than LAPG's window
    assert any(row.get("upload_share") for row in table.rows)
    assert all(row.get("silent") is None for row in table.rows)


def test_what_is_compared_with_what() -> None:
    of = scenario()
    found = uploads.groups(of, "communication")
    equal, unequal = (Group("Swimmer", HeterogeneitySpec(gear=gear)) for gear in ((1.0, 1.0), (0.5, 2.0)))
    assert list(found) == [equal, unequal]
    assert (equal.agents, unequal.agents) == (EQUAL, UNEQUAL)
    assert [cell[1:] for cell in found[unequal]] == [
        ("pg-u", 2), ("pg-u", 4), ("lapg-u", 2), ("lapg-u", 4),
    ]  # fmt: skip
    assert uploads.baseline(of, ("Swimmer", "lapg-u", 4)) == ("Swimmer", "pg-u", 4)
    assert uploads.baseline(of, ("Swimmer", "lapg-c0", 4)) == ("Swimmer", "pg", 4)
    assert uploads.baseline(synthetic.scenario(), ("Swimmer", "fedpg", 4)) is None


def test_the_table_counts_and_compares() -> None:
    of = scenario()
    table = communication.table(of, synthetic.frame(of, noise=0.0))
    rows = {(row["agents"], row["method"], row["n_agents"]): row for row in table.rows}
    rounds = -(-synthetic.STEPS * 4 // 2048) // 4
    plain, lazy = rows[EQUAL, "PG", 4], rows[EQUAL, "LAPG", 4]
    assert lazy["uploads"] == 2 * rounds  # every other time
    assert lazy["upload_share"] == pytest.approx(0.5)
    assert (lazy["longest_skip"], plain.get("longest_skip")) == (1, None)
    assert (lazy["silent"], plain.get("silent")) == ("0 of 24", None)
    assert plain["total_bytes"] == plain["uplink_bytes"] + plain["downlink_bytes"]
    assert plain["trajectory_bytes"] == plain["uploads"] * 2048 * 44


def test_the_table_of_other_scenarios_has_no_columns_of_dashes() -> None:
    of = synthetic.scenario()
    keys = {column.key for column in communication.table(of, synthetic.frame(of)).columns}
    assert not keys & {"agents", "upload_share", "longest_skip", "silent"}
    assert {"uploads", "total_bytes", "trajectory_bytes"} <= keys


def drawn(name: str, of: Scenario, frame: pd.DataFrame | None = None, width: float = style.WIDE) -> style.Drawing:
    draw = {"communication": pareto.communication, "uploads": raster.uploads}[name]
    with style.paper_style():
        drawing: style.Drawing = draw(of, synthetic.frame(of) if frame is None else frame, width)
        style.image_bytes(drawing.figure, "png")
    return drawing


@pytest.mark.parametrize("width", [style.WIDE, style.NARROW])
def test_what_a_return_costs_in_bytes_and_samples(width: float) -> None:
    of = synthetic.scenario(
        methods=[
            {"name": "pg", "algorithm": "fedpg", "n_agents": (4,), "server": {"variant": "plain"}},
            {"algorithm": "lapg", "n_agents": (4,)},
        ],
        figures={"traffic": {"pg": "PG", "lapg": "LAPG"}}, seeds=tuple(range(6)), claims=None,
    )  # fmt: skip
    frame = synthetic.frame(of, noise=0.5)
    with style.paper_style():
        drawing = traffic.traffic(of, frame, width)
        style.image_bytes(drawing.figure, "png")
    data = drawing.data.set_index("method")
    for method in ("pg", "lapg"):
        rows, times, sent = frame[frame["method"] == method], [], []
        for _, run in rows.groupby("seed"):
            x, y = run["env_steps_per_agent"].to_numpy(), run["eval_return_mean"].to_numpy(dtype=float)
            total = (run["uplink_bytes"] + run["downlink_bytes"]).to_numpy()
            times.append(crossing(x, y, of.threshold("Swimmer")))
            sent.append(crossing(total, y, of.threshold("Swimmer")) / 4)
        assert data.loc[method, "share"] == 1
        assert data.loc[method, "samples"] == pytest.approx(np.exp(np.log(times).mean()))
        assert data.loc[method, "bytes"] == pytest.approx(np.exp(np.log(sent).mean()))
        assert data.loc[method, "bytes_low"] < data.loc[method, "bytes"] < data.loc[method, "bytes_high"]
    (panel,) = drawing.figure.axes
    assert [text.get_text() for text in panel.texts] == ["1/8"]
    assert "LAPG needs" in drawing.figure.get_suptitle()


@pytest.mark.parametrize("width", [style.WIDE, style.NARROW])
def test_what_is_saved_and_what_is_kept(width: float) -> None:
    drawing = drawn("communication", scenario(), synthetic.frame(scenario(), noise=0.5), width)
    data = drawing.data.set_index(["agents", "method", "n_agents"])
    assert list(data.index) == [(EQUAL, "lapg", 2), (EQUAL, "lapg", 4), (UNEQUAL, "lapg-u", 2), (UNEQUAL, "lapg-u", 4)]
    for _, row in data.iterrows():
        assert row["saving"] == pytest.approx(2, rel=0.03)  # uploads every other time
        assert np.isnan(row["saving_low"])  # every seed alike
        assert 0.85 < row["kept"] < 1  # learns at 7/8 of PG's pace
        assert row["kept_low"] < row["kept"] < row["kept_high"]
    (panel,) = drawing.figure.axes
    assert {text.get_text() for text in panel.texts} == {"PG", "LAPG", "2", "4"}
    assert "LAPG uploads 2" in drawing.figure.get_suptitle().replace("\n", " ")
    joined = [line for line in panel.get_lines() if line.get_color() == style.method_colours(["lapg"])["lapg"]]
    assert [line.get_markerfacecolor() == "white" for line in joined] == [False, True]  # hollow: unequal agents


def test_the_raster_has_a_tick_for_every_upload() -> None:
    of = scenario()
    frame = synthetic.frame(of)
    figure = drawn("uploads", of, frame).figure
    assert len(figure.axes) == 2  # LAPG with equal and with unequal agents, N = 4
    first = frame[(frame["method"] == "lapg") & (frame["n_agents"] == 4) & (frame["seed"] == 0)]
    lines = [c for c in figure.axes[0].collections if isinstance(c, EventCollection)]
    assert len(lines) == 4
    assert sum(len(line.get_positions()) for line in lines) == first["uploads"].max()
    assert lines[0].get_positions()[0] == 1  # agent 0 uploads in the odd rounds
    assert lines[1].get_positions()[0] == 2
    title = figure.axes[0].get_title(loc="left").replace("\N{NO-BREAK SPACE}", " ")
    assert title == "Swimmer-v4, equal agents: LAPG, N = 4, seed 0, 50 % uploaded"
    assert len(drawn("uploads", of, frame[frame["method"] == "pg"]).figure.axes) == 1  # nothing to draw, and says so


def test_what_is_drawn_is_what_the_scenario_lists() -> None:
    assert figure_names(scenario()) == ["communication", "uploads"]
    assert figure_names(synthetic.scenario(claims=None)) == [
        "sample_complexity", "time_complexity", "staleness", "time_curves",
    ]  # fmt: skip


def test_the_report_has_a_section_of_it_and_none_of_the_posters(tmp_path: Path) -> None:
    of = scenario()
    base = tmp_path / of.name
    synthetic.write_all(tmp_path, of)
    load.collect(of, tmp_path, base, partial=False)
    draw.draw(of, base)
    summary.write(of, base)
    page = report.render(of, base, Path(__file__).parents[2] / "notebooks", show_code=False).read_text(encoding="utf-8")
    for heading in ("Uploading only what has changed", "What leaves an agent"):
        assert heading in page
    for heading in ("Sample complexity", "Time complexity", "What the lookahead adds"):
        assert f">{heading}</h" not in page
    # two figures, each once, and two diagrams for both widths
    assert page.count("<svg") == 8
    assert page.index('id="figure-lead-communication"') < page.index('href="#figure-lead-communication"')
    assert ">Task by task</h" not in page


def test_no_raster_without_a_lazy_method_in_the_figure() -> None:
    of = scenario()
    listed = {**of.model_dump(exclude_unset=True), "figures": {"communication": {"pg": "PG", "pg-u": "PG"}}}
    assert figure_names(Scenario.model_validate(listed)) == ["communication"]


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"communication": {"pg": "PG", "lapg": "PG"}}, "two methods have the same label, 'PG', and equal agents"),
        ({"communication": {"pg": "PG", "lapg-u": "A", "lapg-v": "B"}}, "unequal in more than one way"),
        ({"time_complexity": {"pg": "PG", "pg-u": "PG"}}, "figures.time_complexity: two methods have the same label"),
    ],
)
def test_figures_that_compare_what_cannot_be_compared(figures: dict[str, Any], told: str) -> None:
    given = scenario().model_dump(exclude_unset=True)
    other = {
        "name": "lapg-v",
        "algorithm": "lapg",
        "n_agents": (4,),
        "set": {"heterogeneity": {"gear": [0.9, 1.1]}},
    }
    with pytest.raises(ValueError, match=told):
        Scenario.model_validate({**given, "methods": [*given["methods"], other], "figures": figures})


def test_a_run_that_diverged_at_once_is_no_error() -> None:
    of = scenario()
    frame = synthetic.frame(of)
    lapg = frame["method"] == "lapg"
    frame = frame[~lapg | (frame["point"] == 0)].assign(status="ok")
    frame.loc[frame["method"] == "lapg", "uploaded"] = "///"
    (panel,) = drawn("uploads", of, frame).figure.axes
    assert "unequal agents" in panel.get_title(loc="left")
    frame.loc[frame["method"] == "lapg-u", "uploaded"] = "///"
    (panel,) = drawn("uploads", of, frame).figure.axes
    assert "no finished run" in panel.texts[0].get_text()


def test_the_privacy_table_says_what_leaves_an_agent() -> None:
    table = communication.privacy(scenario()).set_index("algorithm")
    assert list(table.index) == ["FedPG", "LAPG"]
    assert "change of the policy gradient since its last upload" in table["leaves the agent"]["LAPG"]
    assert "noise of its gradient" in table["never leaves it"]["LAPG"]
    for stays in table["never leaves it"]:
        assert stays.startswith("its environment; observations, actions, rewards, trajectories")
    federated = communication.privacy(synthetic.scenario())
    assert list(federated["algorithm"]) == ["AFedPG, FedPG, Vanilla, A3C-style"]
    assert "count, sum and sum of squares of new observations" in federated["leaves the agent"][0]
    assert "critic" in federated["never leaves it"][0]

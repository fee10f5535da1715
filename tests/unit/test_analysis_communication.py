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
from frl.analysis.uploads import answers, longest_skip, silent
from frl.report import page as report
from frl.report.figures import draw, layout, style, traffic
from frl.report.figures import uploads as raster
from frl.report.tables import communication, summary
from frl.scenario.products import figure_names
from frl.scenario.scenario import Scenario

LABELS = {"pg": "PG", "lapg": "LAPG", "pg-u": "PG, unequal agents", "lapg-u": "LAPG, unequal agents"}


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


def test_the_table_counts_and_compares() -> None:
    of = scenario()
    table = communication.table(of, synthetic.frame(of, noise=0.0))
    rows = {(row["agents"], row["method"], row["n_agents"]): row for row in table.rows}
    rounds = -(-synthetic.STEPS * 4 // 2048) // 4
    plain, lazy = rows["equal", "PG", 4], rows["equal", "LAPG", 4]
    assert lazy["uploads"] == 2 * rounds  # every other time
    assert lazy["upload_share"] == pytest.approx(0.5)
    assert (lazy["longest_skip"], plain.get("longest_skip")) == (1, None)
    assert (lazy["silent"], plain.get("silent")) == ("0 of 24", None)
    assert plain["total_bytes"] == plain["uplink_bytes"] + plain["downlink_bytes"]
    assert plain["trajectory_bytes"] == plain["uploads"] * 2048 * 44


def test_of_runs_that_stop_at_a_return_it_says_how_much_was_uploaded_but_no_bytes() -> None:
    of = scenario()
    stop = synthetic.frame(of, noise=0.0).assign(stop_at=60.0)
    (row,) = [row for row in communication.table(of, stop).rows if (row["method"], row["n_agents"]) == ("LAPG", 4)]
    assert (row["upload_share"], row["longest_skip"], row["seeds"]) == (pytest.approx(0.5), 1, 0)
    assert "uplink_bytes" not in row
    shown = {column.key for column in communication.table(of, stop).columns}
    assert not shown & {"uploads", "uplink_bytes", "total_bytes", "seeds", "diverged"}  # nothing but dashes
    assert {"upload_share", "longest_skip", "silent"} <= shown


def test_the_table_of_other_scenarios_has_no_columns_of_dashes() -> None:
    of = synthetic.scenario()
    keys = {column.key for column in communication.table(of, synthetic.frame(of)).columns}
    assert not keys & {"agents", "upload_share", "longest_skip", "silent"}
    assert {"uploads", "total_bytes", "trajectory_bytes"} <= keys


def drawn(name: str, of: Scenario, frame: pd.DataFrame | None = None, width: float = style.WIDE) -> style.Drawing:
    draw = {"communication": traffic.communication, "traffic": traffic.traffic, "uploads": raster.uploads}[name]
    with style.paper_style():
        drawing: style.Drawing = draw(of, synthetic.frame(of) if frame is None else frame, width)
        style.image_bytes(drawing.figure, "png")
    return drawing


@pytest.mark.parametrize("width", [style.WIDE, style.NARROW])
@pytest.mark.parametrize(
    ("name", "marks", "told"), [("traffic", ["1/8"], "fewer bytes"), ("communication", [], "fewer uploaded bytes")]
)
def test_what_a_return_costs_in_bytes_and_samples(name: str, marks: list[str], told: str, width: float) -> None:
    of = synthetic.scenario(
        methods=[
            {"name": "pg", "algorithm": "fedpg", "n_agents": (4,), "server": {"variant": "plain"}},
            {"algorithm": "lapg", "n_agents": (4,)},
        ],
        figures={name: {"pg": "PG", "lapg": "LAPG"}}, seeds=tuple(range(6)), claims=None,
    )  # fmt: skip
    frame = synthetic.frame(of, noise=0.5)
    drawing = drawn(name, of, frame, width)
    data = drawing.data.set_index("method")
    for method in ("pg", "lapg"):
        rows, times, sent = frame[frame["method"] == method], [], []
        for _, run in rows.groupby("seed"):
            x, y = run["env_steps_per_agent"].to_numpy(), run["eval_return_mean"].to_numpy(dtype=float)
            counted = (run["uplink_bytes"] + run["downlink_bytes"] * (name == "traffic")).to_numpy()
            times.append(crossing(x, y, of.threshold("Swimmer")))
            sent.append(crossing(counted, y, of.threshold("Swimmer")) / 4)
        assert data.loc[method, "share"] == 1
        assert data.loc[method, "samples"] == pytest.approx(np.exp(np.log(times).mean()))
        assert data.loc[method, "bytes"] == pytest.approx(np.exp(np.log(sent).mean()))
        assert data.loc[method, "bytes_low"] < data.loc[method, "bytes"] < data.loc[method, "bytes_high"]
    (panel,) = drawing.figure.axes
    assert [text.get_text() for text in panel.texts] == marks
    title = drawing.figure.get_suptitle().replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")
    saving = layout.number(data.loc["pg", "bytes"] / data.loc["lapg", "bytes"], 2)
    assert title == f"Swimmer: {saving} times {told} than PG"


def test_the_ninth_method_is_a_point_too() -> None:
    names = [f"pg{i}" for i in range(9)]
    methods = [
        {"name": name, "algorithm": "fedpg", "n_agents": (4,), "server": {"variant": "plain", "step_size": 0.01 * i}}
        for i, name in enumerate(names, start=1)
    ]
    of = synthetic.scenario(methods=methods, figures={"traffic": {n: n for n in names}}, claims=None, seeds=(0, 1))
    drawing = drawn("traffic", of)
    (panel,) = drawing.figure.axes
    points = [line for line in panel.lines if line.get_marker() not in ("None", "", None) and len(line.get_xdata())]
    assert sorted(float(line.get_xdata()[0]) for line in points) == sorted(drawing.data["samples"])
    assert all(line.get_linestyle() == "None" for line in points)
    assert panel.get_xlim()[0] > drawing.data["samples_low"].min() / 2


def test_the_raster_has_a_tick_for_every_upload() -> None:
    of = scenario()
    frame = synthetic.frame(of)
    figure = drawn("uploads", of, frame).figure
    assert len(figure.axes) == 1  # of the first lazy method, N = 4
    first = frame[(frame["method"] == "lapg") & (frame["n_agents"] == 4) & (frame["seed"] == 0)]
    lines = [c for c in figure.axes[0].collections if isinstance(c, EventCollection)]
    assert len(lines) == 4
    assert sum(len(line.get_positions()) for line in lines) == first["uploads"].max()
    assert lines[0].get_positions()[0] == 1  # agent 0 uploads in the odd rounds
    assert lines[1].get_positions()[0] == 2
    title = figure.axes[0].get_title(loc="left").replace("\N{NO-BREAK SPACE}", " ")
    assert title == "Swimmer: LAPG, N = 4, seed 0, 50 % uploaded"
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
    listed = {**of.model_dump(exclude_unset=True), "figures": {"communication": {"pg": "PG"}}}
    assert figure_names(Scenario.model_validate(listed)) == ["communication"]


@pytest.mark.parametrize(
    ("figures", "told"),
    [
        ({"communication": {"pg": "PG", "lapg": "PG"}}, "figures.communication: two methods have the same label"),
        ({"time_complexity": {"pg": "PG", "pg-u": "PG"}}, "figures.time_complexity: two methods have the same label"),
    ],
)
def test_figures_that_compare_what_cannot_be_compared(figures: dict[str, Any], told: str) -> None:
    given = scenario().model_dump(exclude_unset=True)
    with pytest.raises(ValueError, match=told):
        Scenario.model_validate({**given, "figures": figures})


def test_a_run_that_diverged_at_once_is_no_error() -> None:
    of = scenario()
    frame = synthetic.frame(of)
    lapg = frame["method"] == "lapg"
    frame = frame[~lapg | (frame["point"] == 0)].assign(status="ok")
    frame.loc[frame["method"] == "lapg", "uploaded"] = "///"
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

"""The figures: what they show are the runs' own numbers, at both widths, legible, and the same when drawn twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import partial
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
import vision
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from frl.analysis import load
from frl.analysis.curves import STEPS, TIME, all_curves
from frl.analysis.names import DISPLAY
from frl.analysis.thresholds import common_horizon, seed_times
from frl.errors import SpecError
from frl.report.figures import (
    complexity,
    diagrams,
    effects,
    forest,
    layout,
    progress,
    sensitivity,
    staleness,
    style,
    ticks,
)
from frl.report.figures.draw import draw as draw_all
from frl.report.figures.style import Drawing
from frl.scenario.products import figure_names
from frl.scenario.scenario import Scenario
from frl.verdicts import judge

THREE = ("Swimmer", "Hopper", "Walker2d")
WIDTHS = (style.WIDE, style.NARROW)
Draw = Callable[[float], Drawing]
Fleets = tuple[dict[str, object], ...]


def drawn(draw: Draw, width: float = style.WIDE) -> Drawing:
    """The figure as a file would show it."""
    with style.paper_style():
        drawing = draw(width)
        style.image_bytes(drawing.figure, "png")
    return drawing


def of(kind: str, scenario: Scenario, frame: pd.DataFrame | None = None, width: float = style.WIDE) -> Drawing:
    frame = synthetic.frame(scenario) if frame is None else frame
    module = progress if kind == "time_complexity" else complexity
    return drawn(partial(getattr(module, kind), scenario, frame), width)


def named(panel: Axes, kind: str = "") -> dict[str, Line2D]:
    """The lines of a panel that stand for something, by their ids."""
    return {str(line.get_gid()): line for line in panel.get_lines() if str(line.get_gid() or "").startswith(kind or "")
            and line.get_gid()}  # fmt: skip


def titles(figure: Figure) -> list[str]:
    return [panel.get_title(loc="left") for panel in figure.axes]


def finding(figure: Figure) -> str:
    return str(figure.get_suptitle()).replace("\n", " ").replace("\N{NO-BREAK SPACE}", " ")


def x_of(line: Line2D) -> NDArray[np.float64]:
    return np.asarray(line.get_xdata(), dtype=np.float64)


def y_of(line: Line2D) -> NDArray[np.float64]:
    return np.asarray(line.get_ydata(), dtype=np.float64)


# --------------------------------------------------------------------------------------------------
# Sample complexity and curves against time


def test_sample_complexity_has_a_panel_for_each_task_and_n() -> None:
    scenario = synthetic.scenario(THREE[:2])
    drawing = of("sample_complexity", scenario)
    assert [list(named(panel, "median")) for panel in drawing.figure.axes] == 2 * [
        [f"median afedpg {n}"] for n in (1, 2, 4, 8)
    ]
    assert [bool(named(panel, "poster")) for panel in drawing.figure.axes] == 4 * [True] + 4 * [False]
    assert titles(drawing.figure)[:2] == ["N = 1: 3 of 3 reach 60", "N = 2: 3 of 3 reach 60"]
    assert drawing.figure.axes[0].get_ylabel() == "Swimmer-v4 return"
    said = {str(text.get_text()) for panel in drawing.figure.axes for text in panel.texts}
    assert said == {"median seed", "poster's mean"}  # once


def test_the_median_is_that_of_the_seeds_and_its_numbers_are_in_the_data() -> None:
    scenario = synthetic.scenario(seeds=tuple(range(5)))
    frame = synthetic.frame(scenario)
    drawing = of("sample_complexity", scenario, frame)
    own = frame[(frame["method"] == "afedpg") & (frame["n_agents"] == 4)]
    expected = own.groupby("point")["eval_return_mean"].median()
    line = named(drawing.figure.axes[2], "median")["median afedpg 4"]
    assert y_of(line) == pytest.approx(expected.to_numpy())
    data = drawing.data[(drawing.data["n_agents"] == 4) & (drawing.data["curve"] == "median")]
    assert data["return"].to_numpy() == pytest.approx(y_of(line))
    assert set(drawing.data["curve"]) == {"median", "poster", *(f"seed {seed}" for seed in range(5))}


def test_seeds_that_are_set_to_stop_are_drawn_and_have_no_part_in_the_median() -> None:
    scenario = synthetic.scenario(methods={"afedpg": (2,)}, seeds=tuple(range(4)))
    frame = synthetic.frame(scenario)
    some = frame.assign(stop_at=frame["seed"].map({2: 60.0, 3: 999.0}))  # the last one never got there
    some = some[(some["seed"] != 2) | (some["point"] <= 5)]
    whole = complexity.median_of(all_curves(frame[frame["seed"] < 2], STEPS)["Swimmer", "afedpg", 2])
    stopped = all_curves(some, STEPS)["Swimmer", "afedpg", 2]
    assert complexity.median_of(stopped).returns == pytest.approx(whole.returns)
    (panel,) = of("sample_complexity", scenario, some).figure.axes
    thin = [line for line in panel.get_lines() if line.get_linewidth() < 0.6 and len(x_of(line)) > 2]
    assert sorted(len(x_of(line)) for line in thin) == [6, 21, 21, 21]
    dots = [line for line in panel.get_lines() if line.get_marker() == "o"]
    assert [len(x_of(line)) for line in dots] == [2]


def test_the_title_says_what_half_of_the_seeds_need() -> None:
    scenario = synthetic.scenario(methods={"afedpg": (1, 8)})
    frame = synthetic.frame(scenario)
    curves = all_curves(frame, STEPS)
    needs = [layout.number(float(np.median(seed_times(curves["Swimmer", "afedpg", n], 60)))) for n in (1, 8)]
    said = finding(of("sample_complexity", scenario, frame).figure)
    assert said == (
        f"AFedPG, steps per agent: half of the seeds reach 60 on Swimmer after {needs[0]} with N = 1, "
        f"{needs[1]} with N = 8"
    )
    low = frame.assign(eval_return_mean=10.0)
    assert "after more than the budget with N = 1" in finding(of("sample_complexity", scenario, low).figure)


def test_time_curves_compare_the_methods_that_share_an_n() -> None:
    scenario = synthetic.scenario(methods={"afedpg": (1, 2, 8), "fedpg": (2, 8), "a3c": (2,)})
    drawing = of("time_curves", scenario)
    assert [list(named(panel, "median")) for panel in drawing.figure.axes] == [
        ["median afedpg 2", "median fedpg 2", "median a3c 2"], ["median afedpg 8", "median fedpg 8"],
    ]  # fmt: skip
    assert [text.get_text() for text in drawing.figure.axes[1].texts] == ["AFedPG", "FedPG"]
    apart = synthetic.scenario(methods={"afedpg": (1, 2), "fedpg": (8,)})
    assert [len(named(panel, "median")) for panel in of("time_curves", apart).figure.axes] == [1, 1, 1]


def test_a_diverged_run_is_marked_and_a_missing_one_leaves_its_panel_empty() -> None:
    scenario = synthetic.scenario(THREE[:2], methods={"afedpg": (2,)})
    whole, ended = (synthetic.frame(scenario, diverge_at=point) for point in (None, 10))
    frame = pd.concat([whole[whole["seed"] != 1], ended[ended["seed"] == 1]])
    first, second = of("sample_complexity", scenario, frame[frame["environment"] == "Swimmer"]).figure.axes
    assert sum(line.get_marker() == "x" for line in first.get_lines()) == 1
    assert [text.get_text() for text in second.texts] == ["no finished run to draw"]


# --------------------------------------------------------------------------------------------------
# Share of seeds at the threshold


def test_the_share_of_seeds_climbs_where_each_seed_gets_there() -> None:
    scenario = synthetic.scenario(seeds=tuple(range(5)))
    frame = synthetic.frame(scenario, noise=15)
    drawing = of("time_complexity", scenario, frame)
    (panel,) = drawing.figure.axes
    for method in ("afedpg", "fedpg", "async_pg", "a3c"):
        curves = all_curves(frame, TIME)["Swimmer", method, 4]
        times = np.sort(seed_times(curves, 60))
        times = times[np.isfinite(times)]
        line = named(panel, "share")[f"share {method} 4"]
        assert x_of(line)[1:-1] == pytest.approx(times)
        assert y_of(line)[-1] == len(times) / 5
        own = drawing.data[drawing.data["method"] == method]
        assert np.sort(own["reached_at_s"].dropna()) == pytest.approx(times)
        assert len(own) == 5
    assert panel.get_xscale() == "log"
    assert [text.get_text() for text in panel.texts] == ["AFedPG", "FedPG", "Vanilla", "A3C-style"]
    assert finding(drawing.figure) == "First to bring half of its seeds to 60: AFedPG with N = 4"


def test_many_panels_are_counted_in_the_title() -> None:
    scenario = synthetic.scenario(THREE, methods={"afedpg": (2, 4), "fedpg": (2, 4)})
    said = finding(of("time_complexity", scenario).figure)
    assert said == "First to bring half of its seeds to the threshold: AFedPG in 6 of 6 panels"
    none = of("time_complexity", scenario, synthetic.frame(scenario).assign(eval_return_mean=1.0))
    assert "none in 6 of 6 panels" in finding(none.figure)


# --------------------------------------------------------------------------------------------------
# Claims


def effects_scenario(*ratios: float, alphas: tuple[float, ...] = (0.1, 0.2, 0.5), others: Fleets = ()) -> Scenario:
    """The lookahead's pairs, fleets of other ratios than 4, which is the pairs', and fleets of other kinds."""
    pairs = [
        {"name": f"{algorithm}-a{a}", "algorithm": algorithm, "n_agents": (8,), "server": {"momentum": a}}
        for algorithm in ("afedpg", "async_pg") for a in alphas
    ]  # fmt: skip
    given = {
        **{f"r{r}": {"kind": "straggler", "ratio": r} for r in ratios},
        **{str(one["kind"]): one for one in others},
    }
    fleets = [
        {"name": f"afedpg-{name}", "algorithm": "afedpg", "n_agents": (8,), "set": {"fleet": fleet}}
        for name, fleet in given.items()
    ]
    methods = [*pairs, {"algorithm": "fedpg", "n_agents": (8,)}, *fleets]
    both = [{"with_lookahead": f"afedpg-a{a}", "without": f"async_pg-a{a}"} for a in alphas]
    claims = [synthetic.claim("L", test="lookahead", pairs=both, n_agents=8)]
    if given:
        faster = [*(f"afedpg-{name}" for name in given), f"afedpg-a{alphas[0]}"]
        claims.append(synthetic.claim("F", test="fleets", faster=faster, slower="fedpg", n_agents=8))
    return synthetic.scenario(methods=methods, seeds=tuple(range(6)), claims={"claims": claims})


def test_effects_are_drawn_for_the_runs_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "_METADATA", {"svg": style._METADATA["svg"]})  # one form, a third of the time
    scenario = effects_scenario(1, 20)
    base = tmp_path / scenario.name
    synthetic.write_all(tmp_path, scenario)
    load.collect(scenario, tmp_path, base, partial=False)
    with pytest.raises(SpecError, match="judge the claims first"):
        draw_all(scenario, base)
    judge.write(scenario, base)
    draw_all(scenario, base)
    names = {path.stem.removesuffix("-narrow") for path in (base / "figures").iterdir()}
    assert names == set(figure_names(scenario))
    assert names == {
        "sample_complexity", "staleness", "time_complexity", "time_curves", "forest", "lookahead", "fleets",
    }  # fmt: skip
    assert "fleets" not in figure_names(effects_scenario(alphas=(0.2, 0.5)))


def test_the_lookahead_is_paired_at_each_alpha() -> None:
    scenario = effects_scenario()
    frame = synthetic.frame(scenario)
    verdicts = judge.judge(scenario, frame)
    drawing = drawn(partial(effects.lookahead, scenario, frame, verdicts))
    (panel,) = drawing.figure.axes
    assert [text.get_text() for text in panel.get_xticklabels()] == ["0.1", "0.2", "0.5"]
    joined = [line for line in panel.get_lines() if line.get_color() == style.PALE]
    assert len(joined) == 3 * 6
    without, with_it = (drawing.data[drawing.data["lookahead"] == has] for has in (False, True))
    for part in verdicts.of("lookahead"):
        means = [float(np.exp(np.log(d[d["alpha"] == part.notes.alpha]["steps_per_agent"]).mean()))
                 for d in (without, with_it)]  # fmt: skip
        assert part.effect is not None
        assert means[0] / means[1] == pytest.approx(part.effect.value)
    assert finding(drawing.figure).startswith("Samples without the lookahead over those with it: ")


def test_unequal_fleets_are_held_against_their_closed_form() -> None:
    scenario = effects_scenario(1, 10)
    drawing = drawn(partial(effects.fleets, scenario, judge.judge(scenario, synthetic.frame(scenario))))
    (panel,) = drawing.figure.axes
    theory = named(panel)["closed form"]
    assert x_of(theory)[[0, -1]] == pytest.approx([1, 10])
    assert y_of(theory)[[0, -1]] == pytest.approx([1, 8.875])
    assert list(drawing.data["t_max_over_t_min"]) == [1, 4, 10]  # and not the growth over all
    assert [text.get_text() for text in panel.texts] == ["one straggler (closed form)", "measured"]
    assert panel.get_ylabel() == "time to 60, FedPG / AFedPG"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    ("ratios", "others", "marks"),
    [
        ((1, 10), ({"kind": "linear"},), {"linear": (8, 8 * sum(1 / i for i in range(1, 9)) / 8)}),
        ((10,), ({"kind": "constant"}, {"kind": "sqrt"}),
         {"sqrt": (8**0.5, 8**0.5 * sum(i**-0.5 for i in range(1, 9)) / 8)}),
        ((), ({"kind": "linear"},), {"straggler": (4, 3.625), "linear": (8, sum(1 / i for i in range(1, 9)))}),
    ],
)  # fmt: skip
def test_the_line_of_the_closed_form_is_drawn_for_fleets_with_one_straggler_alone(
    ratios: tuple[float, ...], others: Fleets, marks: dict[str, tuple[float, float]], width: float
) -> None:
    """Each other fleet has a mark of its own, also where it lies between two fleets that the line is true of."""
    scenario = effects_scenario(*ratios, others=others)
    drawing = drawn(partial(effects.fleets, scenario, judge.judge(scenario, synthetic.frame(scenario))), width)
    (panel,) = drawing.figure.axes
    lines = named(panel)
    assert set(lines) == {f"closed form {kind}" for kind in marks} | (
        {"closed form"} if len(ratios + others) > 1 else set()
    )
    for kind, (x, y) in marks.items():
        found = lines[f"closed form {kind}"]
        assert found.get_marker() == "_"
        assert (x_of(found)[0], y_of(found)[0]) == pytest.approx((x, y))
    if "closed form" in lines:
        x, y = x_of(lines["closed form"]), y_of(lines["closed form"])
        assert y == pytest.approx((7 * x + 1) / 8)
    said = [text for text in panel.texts if text.get_text()]
    assert {text.get_text() for text in said} >= {f"{kind} fleet (closed form)" for kind in marks}
    boxes = [text.get_window_extent() for text in said]
    assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))


def test_an_effect_without_runs_says_so() -> None:
    scenario = effects_scenario(1, 10)
    frame = synthetic.frame(scenario)
    frame = frame[frame["method"] == "afedpg"]
    verdicts = judge.judge(scenario, frame)
    for draw in (partial(effects.lookahead, scenario, frame, verdicts), partial(effects.fleets, scenario, verdicts)):
        panel = drawn(draw).figure.axes[0]
        assert [text.get_text() for text in panel.texts] == ["no finished run to draw"]
        assert not panel.get_lines()


LINES = [
    forest.Line("one", 2.0, 1.9, 1.5, 2.5, "replicated"),
    forest.Line("two", 4.8, 0.8, 1e-9, 2.6, "contradicted", "=", "9 and 10 of 10"),
    forest.Line("three", float("nan"), 1.5, 0.75, 3.8, "inconclusive", ">", "0 and 3 of 3"),
    forest.Line("four", 3.0, float("nan"), float("nan"), float("nan"), "not run"),
]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_forest_has_a_line_for_each_claim_with_its_verdict_in_words(width: float) -> None:
    drawing = drawn(partial(forest.draw, LINES), width)
    (panel,) = drawing.figure.axes
    texts = [text.get_text() for text in (*panel.texts, *panel.get_yticklabels())]
    said = [line for text in texts for line in text.split("\n")]
    for line in LINES:
        assert line.verdict in said
        assert line.label in said
        assert line.measured in said
    assert [line.measured for line in LINES] == ["1.90", "0.80; 9 and 10 of 10", "> 1.50; 0 and 3 of 3", "–"]
    hollow = [x_of(line)[0] for line in panel.get_lines() if line.get_markerfacecolor() == "white"]
    assert hollow == [1.5]  # with an arrow at the open end of its interval
    assert [x_of(line)[0] for line in panel.get_lines() if line.get_marker() == ">" and x_of(line)[0] > 1] == [3.8]
    assert finding(drawing.figure) == "Of 4 comparisons 1 replicated, 1 contradicted, 1 inconclusive, 1 not run"
    low, high = panel.get_xlim()
    assert low >= 0.04  # the interval that goes on is cut, with an arrow
    assert any(line.get_marker() == "<" for line in panel.get_lines())
    claimed = [x_of(line)[0] for line in panel.get_lines() if line.get_marker() == "D"]
    assert claimed == [2.0, 4.8, 3.0]
    assert all(low <= value <= high for value in claimed)
    columns = ["label", "claimed", "value", "low", "high", "verdict", "relation", "reached"]
    assert list(drawing.data.columns) == columns


@pytest.mark.parametrize("count", [1, 2, 3, 11])
def test_what_was_claimed_stands_clear_of_the_next_label_in_a_narrow_forest(count: int) -> None:
    label = "time, AFedPG with slow links, N = 10 over Rennala NIGT with slow links, N = 10"
    one = forest.Line(label, float("nan"), 0.4, 0.1, 1.7, "inconclusive", "<", "10 and 5 of 10")
    drawing = drawn(partial(forest.draw, [one] * count), style.NARROW)
    (panel,) = drawing.figure.axes
    drawing.figure.canvas.draw()
    claimed = [line for line in panel.lines if line.get_marker() == ">" and line.get_markerfacecolor() == "none"]
    labels = [text.get_window_extent() for text in panel.texts if text.get_text().startswith("time")]
    assert len(claimed) == len(labels) == count
    for above, below in zip(claimed[:-1], labels[1:], strict=True):
        middle = float(above.get_transform().transform((1.0, above.get_ydata()[0]))[1])
        assert middle - above.get_markersize() / 2 * drawing.figure.dpi / 72 > below.y1


def test_the_forest_of_a_scenario_shows_its_primary_claims() -> None:
    scenario = synthetic.scenario(seeds=tuple(range(6)))
    drawing = drawn(partial(forest.forest, scenario, judge.judge(scenario, synthetic.frame(scenario))))
    assert list(drawing.data["label"]) == [
        "samples, PG (N = 1) over AFedPG, N = 8", "time, FedPG, N = 4 over AFedPG, N = 4",
    ]  # fmt: skip


# --------------------------------------------------------------------------------------------------
# Sensitivity and staleness


def sensitivity_scenario() -> Scenario:
    methods = [
        {"name": f"{algorithm}-s{step}", "algorithm": algorithm, "n_agents": (1, 4) if algorithm == "afedpg" else (4,),
         "server": {"step_size": step}}
        for algorithm in ("afedpg", "fedpg") for step in (0.01, 0.02, 0.04)
    ]  # fmt: skip
    labels = {str(m["name"]): {"afedpg": "AFedPG", "fedpg": "FedPG"}[str(m["algorithm"])] for m in methods}
    return synthetic.scenario(methods=methods, figures={"sensitivity": labels}, claims=None, seeds=tuple(range(4)))


def test_sensitivity_has_a_curve_for_each_n_and_one_for_each_method() -> None:
    scenario = sensitivity_scenario()
    frame = synthetic.frame(scenario)
    frame["eval_return_mean"] = frame["eval_return_mean"].where(frame["method"] != "fedpg-s0.04", 10.0)
    drawing = drawn(partial(sensitivity.sensitivity, scenario, frame))
    samples, time = drawing.figure.axes
    assert list(named(samples, "curve")) == ["curve N = 1", "curve N = 4"]
    assert list(named(time, "curve")) == ["curve AFedPG", "curve FedPG"]
    assert titles(drawing.figure)[0] == "Swimmer: steps per agent of AFedPG"
    assert x_of(named(time, "curve")["curve FedPG"]).tolist() == [0.01, 0.02, 0.04]
    stuck = drawing.data[(drawing.data["curve"] == "FedPG") & (drawing.data["setting"] == 0.04)].iloc[0]
    cells = [c for key, c in all_curves(frame, TIME).items() if key[2] == 4]
    assert (stuck["share"], stuck["value"]) == (0, pytest.approx(common_horizon(cells, 60)))
    fills = [line.get_markerfacecolor() for line in time.get_lines() if len(x_of(line)) == 1]
    assert (1.0, 1.0, 1.0) in fills  # where no seed got there
    assert finding(drawing.figure).startswith("Swimmer: steps per agent of AFedPG, at its best ")


def test_staleness_counts_every_update() -> None:
    scenario = synthetic.scenario(methods={"afedpg": (1, 2, 4)})
    frame = synthetic.frame(scenario).assign(staleness_counts=None)
    first = (frame["n_agents"] == 4) & (frame["point"] == 1)
    frame.loc[first, "staleness_counts"] = "1:5/9:2"
    frame.loc[(frame["n_agents"] == 4) & (frame["point"] == 2), "staleness_counts"] = "4:3"
    drawing = drawn(partial(staleness.staleness, scenario, frame))
    (panel,) = drawing.figure.axes
    assert drawing.data.to_numpy().tolist() == [
        ["AFedPG, N = 4", 1, 15],
        ["AFedPG, N = 4", 4, 9],
        ["AFedPG, N = 4", 9, 6],
    ]
    assert [bar.get_height() for bar in panel.patches] == pytest.approx([0.5, 0.3, 0.2])  # type: ignore[attr-defined]
    assert finding(drawing.figure) == (
        "Updates are oldest with AFedPG, N = 4: half are 1 server steps old or less, the oldest 9"
    )
    without = drawn(
        partial(
            staleness.staleness, scenario, synthetic.frame(scenario).drop(columns=staleness.COLUMN, errors="ignore")
        )
    )
    assert without.figure.axes[0].texts[0].get_text() == "no delays were recorded"


# --------------------------------------------------------------------------------------------------
# For a paper


def points() -> pd.DataFrame:
    rows = [("Swimmer: steps", f"N = {n}", s, 1e5 / n / s, 0.8e5 / n / s, 1.3e5 / n / s, 1 / n)
            for n in (1, 2, 4, 8) for s in (0.01, 0.02)]  # fmt: skip
    return pd.DataFrame(rows, columns=sensitivity.COLUMNS)


def histograms() -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    delays = np.arange(1.0, 40.0)
    return {f"AFedPG, N = {n}": (delays, np.exp(-delays / n)) for n in (2, 4, 8)}


def every_figure() -> dict[str, Draw]:
    scenario, effect = synthetic.scenario(THREE[:2]), effects_scenario(1, 10)
    frame, of_effect = synthetic.frame(scenario, noise=10), synthetic.frame(effect)
    verdicts = judge.judge(effect, of_effect)
    return {
        "sample_complexity": partial(complexity.sample_complexity, scenario, frame),
        "time_complexity": partial(progress.time_complexity, scenario, frame),
        "time_curves": partial(complexity.time_curves, scenario, frame),
        "lookahead": partial(effects.lookahead, effect, of_effect, verdicts),
        "fleets": partial(effects.fleets, effect, verdicts),
        "forest": partial(forest.draw, LINES),
        "sensitivity": partial(sensitivity.draw, points()),
        "staleness": partial(staleness.draw, histograms()),
    }


@pytest.fixture(scope="module")
def figures() -> dict[str, Draw]:
    return every_figure()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", every_figure())
def test_text_is_legible_and_within_the_figure_at_its_native_width(
    name: str, width: float, figures: dict[str, Draw], tmp_path: Path
) -> None:
    with style.paper_style():
        drawing = figures[name](width)
        (tmp_path / "x.png").write_bytes(style.image_bytes(drawing.figure, "png"))
        with Image.open(tmp_path / "x.png") as image:
            assert image.width == round(width * 200)
        figure = drawing.figure
        figure.canvas.draw()
        for text in (t for t in figure.findobj(Text) if isinstance(t, Text)):
            if not text.get_text().strip() or not text.get_visible():
                continue
            assert text.get_fontsize() >= 7, text
            if text in [t for axis in ticks.axes_of(figure) for t in axis.get_ticklabels(which="both")]:
                continue  # of ticks beyond the limits, which are not drawn
            box = text.get_window_extent()
            assert -2 <= box.x0 <= box.x1 <= figure.bbox.width + 2, text
            assert -2 <= box.y0 <= box.y1 <= figure.bbox.height + 2, text


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["sample_complexity", "time_complexity", "time_curves", "sensitivity"])
def test_any_two_curves_of_a_panel_differ_without_colour_and_to_the_colour_blind(
    name: str, width: float, figures: dict[str, Draw]
) -> None:
    drawing = drawn(figures[name], width)
    pairs = 0
    for panel in drawing.figure.axes:
        for first, second in combinations(named(panel).values(), 2):
            for sight in vision.SIGHTS:
                apart = vision.difference(str(first.get_color()), str(second.get_color()), sight)
                assert apart > 20 or _form(first) != _form(second), (first.get_gid(), second.get_gid(), sight)
            pairs += 1
    assert pairs


def _form(line: Line2D) -> tuple[str, str, str]:
    """What tells a line from another without its colour."""
    return (
        str(line.get_linestyle()) + str(line._unscaled_dash_pattern),
        str(line.get_marker()),
        str(line.get_fillstyle()),
    )  # type: ignore[attr-defined]


@pytest.mark.parametrize("sight", vision.SIGHTS)
def test_many_methods_and_many_n_differ_in_form_and_known_methods_in_colour_too(sight: str) -> None:
    for looks in (style.method_looks([*DISPLAY, *map(str, range(20))]), style.agent_looks(range(1, 26))):
        assert len({(str(look.marker)) for look in looks.values()}) == len(looks)
        assert len({(str(look.dash)) for look in looks.values()}) == len(looks)
        assert len({look.colour for look in looks.values()}) == len(looks)
    if sight != "greyscale":
        colours = style.method_colours(DISPLAY).values()
        assert min(vision.difference(a, b, sight) for a, b in combinations(colours, 2)) > 8


EDGES: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
    "no run": lambda frame: frame[:0],
    "one method": lambda frame: frame[frame["method"] == "fedpg"],
    "no seed gets there": lambda frame: frame.assign(eval_return_mean=7.0),
    "all are there at once": lambda frame: frame.assign(eval_return_mean=70.0),
    "two evaluations": lambda frame: frame[frame["point"] <= 1],
    "one evaluation": lambda frame: frame[frame["point"] == 0],
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("edge", EDGES)
def test_runs_at_the_edge_are_drawn_without_a_warning(edge: str) -> None:
    scenario = synthetic.scenario(methods={"afedpg": (1, 4), "fedpg": (4,)}, seeds=(0,))
    frame = EDGES[edge](synthetic.frame(scenario))
    for kind in ("sample_complexity", "time_complexity", "time_curves"):
        of(kind, scenario, frame, style.NARROW)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("width", WIDTHS)
def test_numbers_at_the_edge_are_drawn_without_a_warning(width: float) -> None:
    nan = float("nan")
    alike = pd.DataFrame([("p", f"N = {n}", 0.01, 5.0, nan, nan, 0.0) for n in (1, 2)], columns=sensitivity.COLUMNS)
    far = forest.Line("a long label " * 8, 1e9, 1e-9, 1e-12, float("inf"), "contradicted")
    for draw in (
        partial(sensitivity.draw, alike), partial(sensitivity.draw, alike[:0]), partial(forest.draw, []),
        partial(forest.draw, [far]), partial(staleness.draw, {}),
        partial(staleness.draw, {"x": (np.array([1.0]), np.array([3.0]))}),
    ):  # fmt: skip
        assert drawn(draw, width).figure.axes


def test_labels_stand_inside_their_panel_and_apart() -> None:
    figure = every_figure()["time_complexity"](style.WIDE).figure
    figure.canvas.draw()
    for panel in figure.axes:
        boxes = [text.get_window_extent() for text in panel.texts]
        assert len(boxes) == 4
        assert not any(a.overlaps(b) for a, b in combinations(boxes, 2))
        assert all(panel.bbox.x0 <= box.x0 and box.x1 <= panel.bbox.x1 for box in boxes)


def test_files_are_written_and_the_same_when_drawn_twice(tmp_path: Path) -> None:
    scenario = synthetic.scenario(claims=None)
    synthetic.write_all(tmp_path, scenario)
    base = tmp_path / scenario.name
    load.collect(scenario, tmp_path, base, partial=False)

    def digests() -> dict[str, str]:
        draw_all(scenario, base)
        files = sorted((base / "figures").iterdir())
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    first = digests()
    names = ("sample_complexity", "staleness", "time_complexity", "time_curves")
    images = {
        f"{name}{narrow}.{kind}" for name in names for narrow in ("", "-narrow") for kind in ("svg", "pdf", "png")
    }
    assert set(first) == images | {f"{name}.csv" for name in names}
    assert digests() == first


@pytest.mark.parametrize("width", WIDTHS)
def test_diagrams_count_updates_as_the_fleet_gives_them(width: float) -> None:
    spec = diagrams.example(synthetic.scenario())
    assert (spec.algorithm, spec.n_agents) == ("fedpg", 4)
    with style.paper_style():
        found = [panel.get_title(loc="left").replace("\n", " ") for panel in diagrams.timeline(spec, width).axes]
        texts = [text.get_text().replace("\n", " ") for text in diagrams.messages(spec, width).axes[0].texts]
    assert found[0] == "Synchronous: 3 updates of the server from 12 tasks; agents wait 56 % of the time"
    assert found[1].startswith("Asynchronous: 39 updates")
    assert any("sums of new observations" in text for text in texts)
    local = spec.model_copy(update={"normalizer": spec.normalizer.model_copy(update={"mode": "local"})})
    with style.paper_style():
        assert not any("sums" in text.get_text() for text in diagrams.messages(local, width).axes[0].texts)

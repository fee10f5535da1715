"""The figures: every curve, label and band is there, files exist and are the same when drawn twice."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import synthetic
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from frl.analysis import load
from frl.analysis.curves import TIME, all_curves
from frl.analysis.names import DISPLAY, curve_name
from frl.errors import SpecError
from frl.report.figures import complexity, diagrams, effects, style
from frl.report.figures.draw import draw as draw_all
from frl.scenario.products import figure_names
from frl.scenario.scenario import Scenario
from frl.verdicts import judge

FOUR = ("Swimmer", "Hopper", "Walker2d", "Humanoid")


def draw(kind: str, scenario: Scenario, frame: pd.DataFrame | None = None) -> Figure:
    with style.paper_style():
        figure: Figure = getattr(complexity, kind)(scenario, synthetic.frame(scenario) if frame is None else frame)
        figure.canvas.draw()
    return figure


def means(panel: Axes) -> list[str]:
    return [str(line.get_gid()) for line in panel.get_lines() if line.get_gid()]


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def dashed(panel: Axes) -> int:
    return sum(line.get_linestyle() == "--" for line in panel.get_lines())


def test_sample_complexity_has_a_curve_for_each_n_and_both_axes() -> None:
    figure = draw("sample_complexity", synthetic.scenario())
    (panel,) = figure.axes
    assert means(panel) == ["mean afedpg 1", "mean afedpg 2", "mean afedpg 4", "mean afedpg 8"]
    assert legend(figure)[:4] == ["PG (N = 1)", "AFedPG, N = 2", "AFedPG, N = 4", "AFedPG, N = 8"]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("environment steps per agent", "evaluation return")
    assert panel.get_title(loc="left") == "Swimmer-v4  (3 seeds)"
    (top,) = panel.child_axes
    assert top.get_xlabel() == "trajectories per agent (1,000 steps each)"
    assert top.get_xlim()[1] == pytest.approx(panel.get_xlim()[1] / 1000)
    assert dashed(panel) == 4  # the poster has all four
    assert sum(isinstance(c, PolyCollection) for c in panel.collections) == 4
    assert len({str(line.get_color()) for line in panel.get_lines() if line.get_gid()}) == 4


def test_the_mean_curve_is_the_mean_of_the_aligned_seeds() -> None:
    scenario = synthetic.scenario()
    frame = synthetic.frame(scenario)
    (panel,) = draw("time_complexity", scenario, frame).axes
    line = next(line for line in panel.get_lines() if line.get_gid() == "mean fedpg 4")
    expected = all_curves(frame, TIME)[("Swimmer", "fedpg", 4)]
    assert np.asarray(line.get_ydata()) == pytest.approx(expected.returns_SG.mean(axis=0))
    assert np.asarray(line.get_xdata()) == pytest.approx(expected.x)


def test_time_complexity_compares_methods_at_the_n_that_they_share() -> None:
    figure = draw("time_complexity", synthetic.scenario())
    (panel,) = figure.axes
    assert means(panel) == [
        "mean afedpg 4",
        "mean fedpg 4",
        "mean async_pg 4",
        "mean a3c 4",
    ]  # only AFedPG has N = 1, 2, 8
    assert legend(figure)[:4] == ["AFedPG, N = 4", "FedPG, N = 4", "Vanilla, N = 4", "A3C, N = 4"]
    assert panel.get_xlabel() == "simulated time (s)"
    assert dashed(panel) == 4


@pytest.mark.parametrize(("environments", "shape"), [(("Swimmer",), (1, 2)), (FOUR[:3], (3, 2))])
def test_time_complexity_has_a_panel_for_each_n_in_the_same_limits(
    environments: tuple[str, ...], shape: tuple[int, int]
) -> None:
    methods = {"afedpg": (1, 2, 8), "fedpg": (2, 8), "a3c": (2,)}
    figure = draw("time_complexity", synthetic.scenario(environments, methods=methods))
    two, eight = figure.axes[:2]
    assert means(two) == ["mean afedpg 2", "mean fedpg 2", "mean a3c 2"]
    assert means(eight) == ["mean afedpg 8", "mean fedpg 8"]
    assert [panel.get_title(loc="left") for panel in (two, eight)] == [
        f"Swimmer-v4, N = {n}  (3 seeds)" for n in (2, 8)
    ]
    assert legend(figure)[:3] == ["AFedPG", "FedPG", "A3C"]
    assert (two.get_xlim(), two.get_ylim()) == (eight.get_xlim(), eight.get_ylim())
    assert two.get_subplotspec().get_gridspec().get_geometry() == shape  # type: ignore[union-attr]
    for name in ("afedpg", "fedpg"):
        looks = {(line.get_color(), line.get_marker()) for p in (two, eight) for line in p.get_lines()
                 if str(line.get_gid()).startswith(f"mean {name} ")}  # fmt: skip
        assert len(looks) == 1  # a method looks the same in all panels


def test_methods_that_share_no_n_are_in_one_panel() -> None:
    figure = draw("time_complexity", synthetic.scenario(methods={"afedpg": (1, 2), "fedpg": (8,)}))
    (panel,) = figure.axes
    assert means(panel) == ["mean afedpg 1", "mean afedpg 2", "mean fedpg 8"]


def test_four_environments_are_two_by_two_and_only_swimmer_has_the_poster() -> None:
    figure = draw("sample_complexity", synthetic.scenario(FOUR, seeds=(0, 1)))
    assert [panel.get_title(loc="left").split("-")[0] for panel in figure.axes] == list(FOUR)
    assert figure.axes[0].get_subplotspec().get_gridspec().get_geometry() == (2, 2)  # type: ignore[union-attr]
    assert [dashed(panel) for panel in figure.axes] == [4, 0, 0, 0]
    assert [len(panel.child_axes) for panel in figure.axes] == [1, 0, 0, 0]
    assert "95 % CI of the mean" not in legend(figure)  # two seeds have none


def test_the_legend_hides_no_curve() -> None:
    figure = draw("time_complexity", synthetic.scenario(FOUR))
    box = figure.legends[0].get_window_extent()
    for panel in figure.axes:
        assert not box.overlaps(panel.get_tightbbox())  # type: ignore[arg-type]
    assert figure.bbox.containsx(box.x0)
    assert figure.bbox.containsx(box.x1)


def test_runs_that_end_before_the_posters_first_point_are_drawn_alone() -> None:
    scenario = synthetic.scenario()
    frame = synthetic.frame(scenario)
    short = frame.assign(env_steps_per_agent=frame["env_steps_per_agent"] / 100, sim_time_s=frame["sim_time_s"] / 100)
    for kind in ("sample_complexity", "time_complexity"):
        figure = draw(kind, scenario, short)
        assert dashed(figure.axes[0]) == 0
        assert "the poster's mean (digitised)" not in legend(figure)


def test_missing_methods_an_empty_panel_and_a_method_of_ones_own() -> None:
    scenario = synthetic.scenario(("Swimmer", "Hopper"), methods={"a3c": (2,)}, seeds=(3,))
    frame = synthetic.frame(scenario)
    figure = draw("time_complexity", scenario, frame[frame["environment"] == "Swimmer"])
    assert [len(means(panel)) for panel in figure.axes] == [1, 0]
    assert figure.axes[1].texts[0].get_text() == "no finished run to draw"
    assert draw("sample_complexity", scenario, frame).axes
    assert curve_name("mine", 3) == "mine, N = 3"
    colours = style.method_colours(["afedpg", "mine", "yours"])
    assert len(set(colours.values())) == 3
    assert colours["afedpg"] == style.method_colours(["afedpg"])["afedpg"]


def sweep(n_agents: tuple[int, ...] = (4,), name: str = "afedpg-a{:.2f}") -> Scenario:
    """Twelve methods of AFedPG."""
    momenta = [i / 20 for i in range(1, 13)]
    common = {"algorithm": "afedpg", "n_agents": n_agents}
    return synthetic.scenario(methods=[{**common, "name": name.format(m), "server": {"momentum": m}} for m in momenta])


@pytest.mark.parametrize("kind", ["sample_complexity", "time_complexity"])
def test_twelve_methods_of_one_algorithm_are_told_apart(kind: str) -> None:
    figure = draw(kind, sweep())
    (panel,) = figure.axes
    names = [f"afedpg-a{i / 20:.2f}" for i in range(1, 13)]
    assert means(panel) == [f"mean {name} 4" for name in names]
    assert legend(figure)[:12] == [f"{name}, N = 4" for name in names]
    assert len({str(line.get_color()) for line in panel.get_lines() if line.get_gid()}) == 12
    assert dashed(panel) == 0  # the poster's curves are for the papers' names


def test_every_name_has_a_colour_of_its_own() -> None:
    assert len(set(style.method_colours([*DISPLAY, *map(str, range(40))]).values())) == 46


@pytest.mark.parametrize(("n_agents", "name"), [((1, 2, 4, 8), "m{:.2f}"), ((1, 4), f"{57 * 'a'}{{:.2f}}")])
def test_a_long_legend_leaves_the_panel_its_room(n_agents: tuple[int, ...], name: str) -> None:
    figure = draw("sample_complexity", sweep(n_agents, name))
    box = figure.legends[0].get_window_extent()
    assert figure.bbox.containsx(box.x0)
    assert figure.bbox.containsx(box.x1)
    assert figure.bbox.containsy(box.y0)
    assert figure.axes[0].get_window_extent().height > 1.5 * figure.dpi


LABELS = {
    "sample_complexity": {"ours": "AFedPG"},
    "time_complexity": {"ours-time": "AFedPG", "fedpg": "FedPG", "async_pg": "Vanilla"},
}


def labelled() -> Scenario:
    methods = [
        {"name": "ours", "algorithm": "afedpg", "n_agents": (1, 8)},
        {"name": "ours-time", "algorithm": "afedpg", "n_agents": (4,)},
        {"algorithm": "fedpg", "n_agents": (4,)},
        {"algorithm": "async_pg", "n_agents": (4,)},
        {"algorithm": "a3c", "n_agents": (4,)},
    ]
    return synthetic.scenario(methods=methods, figures=LABELS)


def test_a_scenario_says_what_a_figure_shows_and_how_it_is_called() -> None:
    scenario = labelled()
    samples, time = (draw(kind, scenario) for kind in ("sample_complexity", "time_complexity"))
    assert means(samples.axes[0]) == ["mean ours 1", "mean ours 8"]
    assert legend(samples)[:2] == ["PG (N = 1)", "AFedPG, N = 8"]
    assert means(time.axes[0]) == ["mean ours-time 4", "mean fedpg 4", "mean async_pg 4"]
    assert legend(time)[:3] == ["AFedPG, N = 4", "FedPG, N = 4", "Vanilla, N = 4"]
    assert [dashed(figure.axes[0]) for figure in (samples, time)] == [2, 3]
    colour = next(str(line.get_color()) for line in time.axes[0].get_lines() if line.get_gid() == "mean fedpg 4")
    assert colour == style.VERMILION


def test_a_curve_of_which_seeds_are_missing_says_so() -> None:
    scenario = synthetic.scenario(methods=[{"algorithm": "fedpg", "n_agents": (4, 8)}])
    frame = synthetic.frame(scenario)
    four, eight = frame["n_agents"] == 4, frame["n_agents"] == 8
    cases = (
        (frame[four], ["FedPG, N = 4"]),
        (frame, ["FedPG, N = 4", "FedPG, N = 8"]),
        (frame[four | (frame["seed"] == 1)], ["FedPG, N = 4", "FedPG, N = 8 (1 of 3 seeds)"]),
        (frame[eight & (frame["seed"] > 0)], ["FedPG, N = 8 (2 of 3 seeds)"]),
    )
    for rows, names in cases:
        figure = draw("time_complexity", scenario, rows)
        assert legend(figure)[: len(names)] == names


def effects_scenario(*ratios: float, alphas: tuple[float, ...] = (0.1, 0.2, 0.5)) -> Scenario:
    """The lookahead's pairs and fleets of other ratios than 4, which is the pairs'."""
    pairs = [
        {"name": f"{algorithm}-a{a}", "algorithm": algorithm, "n_agents": (8,), "server": {"momentum": a}}
        for algorithm in ("afedpg", "async_pg") for a in alphas
    ]  # fmt: skip
    fleets = [
        {
            "name": f"afedpg-r{r}",
            "algorithm": "afedpg",
            "n_agents": (8,),
            "set": {"fleet": {"kind": "straggler", "ratio": r}},
        }
        for r in ratios
    ]
    methods = [*pairs, {"algorithm": "fedpg", "n_agents": (8,)}, *fleets]
    both = [{"with_lookahead": f"afedpg-a{a}", "without": f"async_pg-a{a}"} for a in alphas]
    claims = [synthetic.claim("L", test="lookahead", pairs=both, n_agents=8)]
    if ratios:
        faster = [*(f"afedpg-r{r}" for r in ratios), f"afedpg-a{alphas[0]}"]
        claims.append(synthetic.claim("F", test="fleets", faster=faster, slower="fedpg", n_agents=8))
    return synthetic.scenario(methods=methods, seeds=tuple(range(6)), claims={"claims": claims})


def test_effects_are_drawn_for_the_runs_that_are_there(tmp_path: Path) -> None:
    scenario = effects_scenario(1, 20)
    base = tmp_path / scenario.name
    synthetic.write_all(tmp_path, scenario)
    load.collect(scenario, tmp_path, base, partial=False)
    with pytest.raises(SpecError, match="judge the claims first"):
        draw_all(scenario, base)
    judge.write(scenario, base)
    draw_all(scenario, base)
    names = {path.stem for path in (base / "figures").iterdir()}
    assert names == {"sample_complexity", "time_complexity", "lookahead", "fleets"} == set(figure_names(scenario))
    assert figure_names(effects_scenario(alphas=(0.2, 0.5))) == ["sample_complexity", "time_complexity", "lookahead"]


def test_effect_of_the_lookahead() -> None:
    scenario = effects_scenario()
    verdicts = judge.judge(scenario, synthetic.frame(scenario))
    with style.paper_style():
        left, right = effects.lookahead(scenario, verdicts).axes
    assert [text.get_text() for text in left.get_xticklabels()] == ["0.1", "0.2", "0.5"]
    assert [text.get_text() for text in right.texts] == ["56.2 %", "36.4 %", "12.5 %"]
    drawn = [_y(line)[0] for line in left.get_lines() if line.get_marker() == "o"]
    assert drawn == pytest.approx([one.effect.value for one in verdicts.parts if one.effect])
    assert left.get_title(loc="left") == "Swimmer-v4  (N = 8, 6 seeds)"


def test_effect_of_unequal_fleets() -> None:
    scenario = effects_scenario(1, 10)
    verdicts = judge.judge(scenario, synthetic.frame(scenario))
    with style.paper_style():
        (panel,) = effects.fleets(scenario, verdicts).axes
    (theory,) = (line for line in panel.get_lines() if str(line.get_label()).startswith("from not waiting"))
    assert _x(theory)[[0, -1]] == pytest.approx([1, 10])
    assert _y(theory)[[0, -1]] == pytest.approx([1, 8.875])
    places = sorted(_x(line)[0] for line in panel.get_lines() if line.get_marker() == "o")
    assert places == [1, 4, 10]  # and not the growth over all


def test_an_effect_of_one_fleet_shows_its_closed_form_and_its_own_seeds() -> None:
    scenario = effects_scenario(1, 10)
    frame = synthetic.frame(scenario)
    others = ["afedpg-r1", "afedpg-a0.1"]
    some = frame[~frame["method"].isin(others) & ((frame["method"] != "afedpg-r10") | (frame["seed"] < 5))]
    with style.paper_style():
        (panel,) = effects.fleets(scenario, judge.judge(scenario, some)).axes
    (theory,) = (line for line in panel.get_lines() if str(line.get_label()).startswith("from not waiting"))
    assert theory.get_marker() == "_"
    assert panel.get_title(loc="left") == "Swimmer-v4  (N = 8, 5–6 seeds)"


def test_an_effect_without_runs_says_so() -> None:
    scenario = effects_scenario(1, 10)
    frame = synthetic.frame(scenario)
    verdicts = judge.judge(scenario, frame[frame["method"] == "afedpg"])
    for draw in (effects.lookahead, effects.fleets):
        with style.paper_style():
            panel = draw(scenario, verdicts).axes[0]
        assert [text.get_text() for text in panel.texts] == ["no finished run to draw"]
        assert not panel.get_lines()


def _x(line: Line2D) -> NDArray[np.float64]:
    return np.asarray(line.get_xdata(), dtype=np.float64)


def _y(line: Line2D) -> NDArray[np.float64]:
    return np.asarray(line.get_ydata(), dtype=np.float64)


def test_a_diverged_run_is_drawn_and_explained() -> None:
    scenario = synthetic.scenario(methods={"afedpg": (2,)})
    whole, ended = (synthetic.frame(scenario, diverge_at=point) for point in (None, 10))
    figure = draw("time_complexity", scenario, pd.concat([whole[whole["seed"] != 1], ended[ended["seed"] == 1]]))
    assert sum(line.get_marker() == "x" for line in figure.axes[0].get_lines()) == 1
    assert "diverged (last value held)" in legend(figure)


def test_files_are_written_and_the_same_when_drawn_twice(tmp_path: Path) -> None:
    scenario = synthetic.scenario()
    synthetic.write_all(tmp_path, scenario)
    base = tmp_path / scenario.name
    load.collect(scenario, tmp_path, base, partial=False)

    def digests() -> dict[str, str]:
        draw_all(scenario, base)
        files = sorted((base / "figures").iterdir())
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    first = digests()
    names = ("sample_complexity", "time_complexity")
    assert set(first) == {f"{name}.{kind}" for name in names for kind in ("svg", "pdf", "png")}
    assert digests() == first


def test_diagrams_count_updates_as_the_fleet_gives_them() -> None:
    spec = diagrams.example(synthetic.scenario())
    assert (spec.algorithm, spec.n_agents) == ("fedpg", 4)
    with style.paper_style():
        titles = [panel.get_title(loc="left") for panel in diagrams.timeline(spec).axes]
        texts = [text.get_text() for text in diagrams.messages(spec).axes[0].texts]
    assert titles[0] == "Synchronous: 3 updates of the server from 12 tasks; agents wait 56 % of the time"
    assert titles[1].startswith("Asynchronous: 39 updates")
    assert any("change of the critic" in text for text in texts)
    local = spec.model_copy(update={"critic": spec.critic.model_copy(update={"mode": "local"})})
    with style.paper_style():
        assert not any("critic" in text.get_text() for text in diagrams.messages(local).axes[0].texts)

"""What figures say is so: a tick reads what its place is, and a label is shown as it was written."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import synthetic
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.text import Text

from frl.analysis.curves import TIME, all_curves
from frl.report.figures import (
    complexity,
    diagrams,
    progress,
    sensitivity,
    staleness,
    style,
    ticks,
    traffic,
    uploads,
)
from frl.report.figures.draw import drawer
from frl.report.tables import summary
from frl.report.tables.table import Column, Table
from frl.scenario.products import OF_CLAIMS
from frl.scenario.scenario import Scenario
from frl.verdicts.judge import judge

_POWERS = {"k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "": 1.0}
_DIGITS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹−", "-0123456789-")


def read(label: str) -> float:
    """The number that a reader takes from a tick label."""
    found = re.fullmatch(r"(-?[\d,]+(?:\.\d+)?)(?:×10(-?\d+)|([kMGT]?))( %)?", label.translate(_DIGITS))
    assert found, label
    number, exponent, suffix, percent = found.groups()
    value = float(number.replace(",", "")) * (10.0 ** int(exponent) if exponent else _POWERS[suffix])
    return value / 100 if percent else value


def test_labels_read_as_their_places() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        step = float(rng.choice([1, 2, 2.5, 5]) * 10.0 ** rng.integers(-12, 13))
        first, count = int(rng.integers(-1000, 1001)), int(rng.integers(2, 13))
        places = [step * (first + i) for i in range(count)]
        for label, place in zip(ticks.labels(places), places, strict=True):
            assert abs(read(label) - place) <= 2e-3 * step, (label, place)
        assert len(set(ticks.labels(places))) == count


@pytest.mark.parametrize(("place", "text"), [(3e-4, "0.0003"), (1e-5, "0.00001"), (2e-6, "2×10⁻⁶"), (2e5, "200k")])
def test_a_label_that_stands_alone_is_a_decimal_while_that_is_short(place: float, text: str) -> None:
    assert ticks.labels([place]) == [text]


def lying(figure: Figure) -> list[tuple[str, float]]:
    """Tick labels of a drawn figure with their places, where the two differ by more than a hundredth of a step."""
    with style.paper_style():
        style.image_bytes(figure, "svg")
    return [pair for axis in ticks.axes_of(figure) for pair in _lying(axis)]


def _lying(axis: Axis) -> list[tuple[str, float]]:
    assert axis.get_offset_text().get_text() == ""
    if not isinstance(axis.get_major_formatter(), ticks.Exact):
        return []  # names of categories
    places = axis.get_majorticklocs()
    step = np.abs(np.diff(places)).min() if len(places) > 1 else np.inf
    shown = [(tick.label1.get_text(), tick.get_loc()) for tick in axis.get_major_ticks() if tick.label1.get_visible()]
    return [(label, place) for label, place in shown if abs(read(label) - place) > 1e-2 * step]


def lazy_scenario() -> Scenario:
    methods = [
        {"name": "pg", "algorithm": "fedpg", "n_agents": (4,), "server": {"variant": "plain"}},
        *({"name": f"lapg-c{c}", "algorithm": "lapg", "n_agents": (4,), "server": {"variance_multiplier": c}}
          for c in (0, 2)),
    ]  # fmt: skip
    figures = {"communication": {"pg": "PG", "lapg-c0": "0", "lapg-c2": "2"}}
    return synthetic.scenario(methods=methods, figures=figures, claims=None, seeds=tuple(range(3)))


def effects_scenario() -> Scenario:
    methods = [
        *({"name": f"{algorithm}-a{a}", "algorithm": algorithm, "n_agents": (8,), "server": {"momentum": a}}
          for algorithm in ("afedpg", "async_pg") for a in (0.1, 0.2)),
        {"algorithm": "fedpg", "n_agents": (8,)},
        *({"name": f"afedpg-r{r}", "algorithm": "afedpg", "n_agents": (8,),
           "set": {"fleet": {"kind": "straggler", "ratio": r}}} for r in (1, 10)),
    ]  # fmt: skip
    pairs = [{"with_lookahead": f"afedpg-a{a}", "without": f"async_pg-a{a}"} for a in (0.1, 0.2)]
    fleets = {"faster": ["afedpg-r1", "afedpg-a0.1", "afedpg-r10"], "slower": "fedpg"}
    claims = [
        synthetic.claim("L", test="lookahead", pairs=pairs, n_agents=8),
        synthetic.claim("F", test="fleets", n_agents=8, **fleets),
    ]
    return synthetic.scenario(methods=methods, seeds=tuple(range(5)), claims={"claims": claims})


_AXES = ("env_steps_per_agent", "sim_time_s", "uploads", "uplink_bytes", "server_step")


def scaled(frame: pd.DataFrame, by: float, axes: tuple[str, ...]) -> pd.DataFrame:
    """The same runs with returns and these axes so many times as large."""
    return frame.assign(**{column: frame[column] * by for column in (*axes, "eval_return_mean")})


Draw = Callable[[Scenario, pd.DataFrame, float], style.Drawing]


def of_verdicts(name: str) -> Draw:
    def draw(scenario: Scenario, frame: pd.DataFrame, width: float) -> style.Drawing:
        return drawer(name, scenario, frame, judge(scenario, frame))(width)

    return draw


CURVES: dict[str, tuple[Callable[[], Scenario], Draw]] = {
    "sample_complexity": (synthetic.scenario, complexity.sample_complexity),
    "time_complexity": (synthetic.scenario, progress.time_complexity),
    "time_curves": (synthetic.scenario, complexity.time_curves),
    "communication": (lazy_scenario, traffic.communication),
    "uploads": (lazy_scenario, uploads.uploads),
    **{name: (effects_scenario, of_verdicts(name)) for name in OF_CLAIMS},
}


@pytest.mark.parametrize("name", CURVES)
def test_every_tick_of_every_figure_reads_what_its_place_is(name: str) -> None:
    make, draw = CURVES[name]
    scenario = make()
    frame = synthetic.frame(scenario)
    axes = () if name in OF_CLAIMS else _AXES  # the judge re-times runs by their whole uploads
    for scale in (1e-3, 0.07, 2.0, 1e5, 1e9):
        level = {"thresholds": dict.fromkeys(scenario.environments, f"{60 * scale:.9f} return")}
        with style.paper_style():
            drawing = draw(scenario.model_copy(update=level), scaled(frame, scale, axes), style.NARROW)
        assert not lying(drawing.figure), scale


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e9])
def test_every_tick_of_sensitivity_and_staleness_too(scale: float) -> None:
    needs = [(n, scale * step, scale / n) for n in (1, 2) for step in (1, 2)]
    rows = [("steps", f"N = {n}", step, value, value / 2, value * 2, 0.5) for n, step, value in needs]
    points = pd.DataFrame(rows, columns=sensitivity.COLUMNS)
    delays = {"N = 2": (np.array([1.0, 3 * scale + 1]), np.array([2.0, 1.0]))}
    with style.paper_style():
        for drawing in (sensitivity.draw(points, style.NARROW), staleness.draw(delays, style.NARROW)):
            assert not lying(drawing.figure)


@pytest.mark.parametrize("seconds", [1e-6, 0.37, 5.0, 1e6])
def test_every_tick_of_the_timeline_too(seconds: float) -> None:
    spec = diagrams.example(synthetic.scenario())
    fleet = spec.fleet.model_copy(update={"seconds_per_1000_steps": seconds})
    with style.paper_style():
        assert not lying(diagrams.timeline(spec.model_copy(update={"fleet": fleet}), style.WIDE))


STRANGE = r"$\alpha$ a_1 {b} 5 % \frac | _x_ <b>&amp;</b> `c`"


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if isinstance(text, Text)]


def test_labels_are_shown_as_they_were_written() -> None:
    labels = {"time_complexity": {"afedpg": STRANGE + " and more", "fedpg": "_hidden"}}
    scenario = synthetic.scenario(methods={"afedpg": (4,), "fedpg": (4,)}, figures=labels)
    with style.paper_style():
        figure = progress.time_complexity(scenario, synthetic.frame(scenario), style.WIDE).figure
    said = [text for text in texts(figure) if text.get_text().startswith((STRANGE + " and more", "_hidden"))]
    assert len(said) == 2
    assert not any(text.get_parse_math() for text in said)
    lying(figure)  # drawn: no formula is parsed


def test_tables_show_labels_as_they_were_written() -> None:
    table = Table("t", f"On {STRANGE}", STRANGE, (Column("x", STRANGE + "\nx"),), [{"x": STRANGE + "\ny"}])
    lines = table.markdown().splitlines()
    assert len(lines) == 7
    for line in (lines[0], lines[2], lines[4], lines[6]):
        assert len(re.findall(r"(?<!\\)\|", line)) in (0, 2)  # only the cell's own borders
        assert re.sub(r"\\([^a-z]|\\)", r"\1", line).strip("#| On").startswith(STRANGE[:20])
        assert not re.search(r"(?<!\\)[$_`<&]", line)
    page = table.html()
    assert "&lt;b&gt;&amp;amp;&lt;/b&gt;" in page
    assert "<b>" not in page


def test_twenty_values_of_n_look_different() -> None:
    counts = range(1, 21)
    assert len(set(style.agent_colours(counts).values())) == 20
    assert len({str(marker) for marker in style.markers(counts).values()}) == 20


@pytest.mark.parametrize(("engine", "clock"), [(None, "simulated time"), ({"kind": "processes"}, "wall time")])
def test_time_is_called_what_it_is(engine: dict[str, str] | None, clock: str) -> None:
    """Of runs that were simulated, or carried by the wall clock."""
    simulated = synthetic.scenario(seeds=(0, 1), methods={"afedpg": (1, 4), "fedpg": (4,)})
    frame, settings = synthetic.frame(simulated), simulated.model_dump()
    scenario = Scenario.model_validate(settings | {"run": settings["run"] | ({"engine": engine} if engine else {})})
    with style.paper_style():
        for draw in (complexity.time_curves, progress.time_complexity):
            figure = draw(scenario, frame, style.WIDE).figure
            assert {panel.get_xlabel() for panel in figure.axes} - {""} == {f"{clock} (s, log scale)"}
    table = summary.time_ratio(scenario, all_curves(frame, TIME))
    assert table.title == f"{clock.capitalize()} of FedPG over AFedPG"

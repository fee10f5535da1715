"""Figures beyond the paper: a bound is drawn as one, what is missing is said, and a line that was computed too."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from frl.report.figures import style
from frl.theory import extensions, messages_figures
from frl.theory.findings import finding

WIDTHS = (style.WIDE, style.NARROW)


@pytest.fixture(autouse=True)
def _style() -> Iterator[None]:
    with style.paper_style():
        yield


def rows(panel: str, quantity: str, *given: dict[str, Any], **shared: Any) -> pd.DataFrame:
    """Estimates; one with `relation` ">" has no upper end."""
    found = []
    for one in given:
        row = {"panel": panel, "quantity": quantity, "relation": "=", "seeds": 30, **shared, **one}
        row.setdefault("low", 0.8 * row["value"])
        row.setdefault("high", np.inf if row["relation"] == ">" else 1.2 * row["value"])
        found.append(row)
    return pd.DataFrame(found)


def hollow(panel: Axes) -> list[tuple[float, float]]:
    """Places of hollow markers."""
    lines = [line for line in panel.get_lines() if line.get_markerfacecolor() == "white" and len(line.get_xdata())]
    return sorted({(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in lines})


def legend(figure: Figure) -> list[str]:
    return [text.get_text() for one in figure.legends for text in one.get_texts()]


@pytest.mark.parametrize("width", WIDTHS)
def test_the_map_of_attacks_says_which_gap_was_not_reached_and_prints_the_bound(width: float) -> None:
    cells = [
        {"algorithm": algorithm, "attack": attack, "defence": "none", "epsilon": epsilon, "value": value,
         "relation": relation}
        for algorithm in ("afedpg", "fedpg") for epsilon in (0.3, 0.1)
        for attack, value, relation in (("none", 1.0, "="), ("sign_flip", 9.86, ">"))
    ]  # fmt: skip
    figure = extensions.adversaries(rows("adversaries", "attacked_updates_ratio", *cells, problem="garnet"), width)
    said = " ".join(figure.get_supxlabel().split())
    assert "until the mean gap over the seeds is ε = 0.1" in said
    assert "stayed above ε to the end of the budget" in said
    assert "never" not in said
    assert [text.get_text() for text in figure.axes[0].texts] == ["1.0", "> 9.9"]


@pytest.mark.parametrize("width", WIDTHS)
def test_time_ratios_that_are_bounds_stand_hollow_at_their_place(width: float) -> None:
    given = rows("rennala", "rennala_time_ratio", {"value": 0.9, "communication": np.nan},
                 {"value": 20.2, "relation": ">", "communication": 1.8},
                 problem="quadratic", n_agents=10, epsilon=0.1)  # fmt: skip
    figure = extensions.rennala(given, width)
    (panel,) = figure.axes
    assert [x for x, _ in hollow(panel)] == [20.2]
    assert panel.get_xlim()[1] > 20.2
    assert extensions.NOT_REACHED in legend(figure)
    assert "where messages cost time too, > 20.20 times" in finding(given, "rennala")


def test_natural_gradients_say_where_there_is_no_ratio() -> None:
    given = rows("natural", "natural_ratio", {"value": 0.8, "epsilon": 0.2, "n_agents": 1},
                 {"value": 0.7, "epsilon": 0.2, "n_agents": 8},
                 {"value": 12.4, "epsilon": 0.1, "n_agents": 8, "relation": ">"},
                 problem="garnet", algorithm="afednpg")  # fmt: skip
    figure = messages_figures.natural(given, style.WIDE)
    (panel,) = figure.axes
    assert [y for _, y in hollow(panel)] == [12.4]
    (missing,) = [text for text in panel.texts if text.get_text()]
    assert (missing.get_text(), round(missing.xy[0])) == ("no ratio", 1)  # of one agent, at the second gap
    assert any(text.startswith("no ratio: ") for text in legend(figure))
    assert finding(given, "natural") == "Natural gradients: 0.70 to > 12.40 times as many gradients as without"


def test_headlines_name_no_best_and_give_each_mode_its_own_baseline() -> None:
    """Over all defences and methods: the best of the reported cells is no finding, but a choice by the result."""
    shares = {("afedpg", "none"): 0.36, ("fedpg", "none"): 0.16, ("robust_afedpg", "clip"): 0.42,
              ("robust_afedpg", "momenta-krum"): 0.98, ("robust_fedpg", "median"): 0.51}  # fmt: skip
    cells = [
        {"algorithm": algorithm, "defence": defence, "attack": attack, "value": share + more, "epsilon": 0.1}
        for (algorithm, defence), share in shares.items() for attack, more in (("alie", 0.01), ("direction", -0.01))
    ]  # fmt: skip
    clean = {"algorithm": "afedpg", "defence": "none", "attack": "none", "value": 1.0, "epsilon": 0.1}
    assert finding(rows("adversaries", "share_of_seeds", *cells, clean), "adversaries") == (
        "Adversaries: under attack 36 % of AFedPG's seeds get to ε = 0.1, with a defence 42 to 98 %; "
        "16 % of FedPG's seeds get to ε = 0.1, with a defence 51 %"
    )
    saved = [{"method": name, "value": value, "epsilon": 0.1, "bandwidth": 100.0}
             for name, value in (("plain", 1.0), ("lapg", 0.655), ("top-k-4", 10.35))]  # fmt: skip
    never = {"method": "qsgd-2bit", "value": 0.0, "epsilon": 0.1}
    assert finding(rows("compression", "bytes_saving", *saved, never), "compression") == (
        "Compression: to ε = 0.1 plain AFedPG sends 0.655 to 10.3 times the bytes of another method; "
        "qsgd-2bit never gets there"
    )
    assert finding(rows("bandwidth", "time_saving", *saved), "bandwidth") == (
        "Bandwidth: at 100 bytes a second plain AFedPG takes 0.655 to 10.3 times as long as another method to ε = 0.1"
    )


def test_a_method_that_did_not_get_there_is_drawn_where_it_ended() -> None:
    given = pd.concat([
        rows("compression", quantity, {"method": "plain", "value": plain},
             {"method": "qsgd-2bit", "value": coded, "relation": ">"}, epsilon=0.1)
        for quantity, plain, coded in (("samples", 300.0, 1000.0), ("bytes", 8e5, 184_320.0))
    ])  # fmt: skip
    figure = messages_figures.compression(given, style.WIDE)
    (panel,) = figure.axes
    assert hollow(panel) == [(1000.0, 184_320.0)]
    assert len(panel.texts) == 2  # an arrow along either axis
    assert "hollow: ε not reached" in legend(figure)


def test_times_between_bandwidths_are_computed_and_said_to_be() -> None:
    given = rows("bandwidth", "seconds", *({"bandwidth": b, "value": 10 + 2e4 / b} for b in (100.0, 1e3, 1e4)),
                 method="plain", epsilon=0.1)  # fmt: skip
    figure = messages_figures.bandwidth(given, style.WIDE)
    (panel,) = figure.axes
    (line,) = [line for line in panel.get_lines() if len(line.get_xdata()) > 2]
    x, y = (np.asarray(axis, dtype=float) for axis in line.get_data())
    np.testing.assert_allclose(y, 10 + 2e4 / x, rtol=1e-6)
    assert any(text.startswith("computed: ") for text in legend(figure))

"""Each panel's estimates on curves that are made up, so that the answers are known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from frl.settings import AdversarySpec, ConstantFleet
from frl.theory.cells.driver import Curves
from frl.theory.cells.spec import EXTENSIONS, Cell, GaussianSpec, QuadraticSpec, ServerOptions
from frl.theory.panels import COLUMNS, Measured, adversaries, best, lookahead, rates, rennala, speedup

UPDATES = np.concatenate([[0], np.unique(np.geomspace(1, 10_000, 97).astype(int))])


def made_up(gap_P, seeds=8, **settings):
    """A cell whose seeds all have this gap, up to a factor each that averages to one."""
    cell = Cell(
        **{
            "panel": "speedup",
            "problem": "toy",
            "problem_spec": QuadraticSpec(kind="quadratic", eigenvalues=(1.0,)),
            "gradient": GaussianSpec(kind="gaussian", relative=1.0),
            "algorithm": "afedpg",
            "n_agents": 1,
            "step_size": 0.1,
            "momentum": 0.1,
            "schedule": "constant",
            "fleet": ConstantFleet(seconds_per_1000_steps=1.0),
            "updates": 10_000,
            "seeds": tuple(range(seeds)),
        }
        | settings
    )
    gap_SP = np.repeat(gap_P[None], seeds, axis=0)
    gap_SP[:, 1:] *= np.linspace(0.9, 1.1, seeds)[:, None]
    return Measured(cell, Curves(UPDATES, UPDATES, np.zeros_like(gap_SP), gap_SP))


def power(exponent, delay=1.0):
    """1 before any gradient, then (K / delay)^-exponent: `delay` times as many updates to every epsilon."""
    return np.concatenate([[1.0], (UPDATES[1:] / delay) ** -exponent])


def table(rows):
    return pd.DataFrame(rows, columns=[*COLUMNS, *EXTENSIONS])


def value(frame, quantity, **where):
    chosen = frame[frame["quantity"] == quantity]
    for column, wanted in where.items():
        chosen = chosen[chosen[column] == wanted]
    assert len(chosen) == 1, chosen
    return chosen.iloc[0]


def test_rates_are_the_exponent_and_the_last_gaps_ratio():
    rows = table(rates([made_up(power(0.4)), made_up(power(0.4, delay=2), n_agents=4)], (0.1,)))
    one = value(rows, "rate", n_agents=1)
    assert one["value"] == pytest.approx(0.4)
    assert one["low"] == pytest.approx(one["high"]) == pytest.approx(0.4)  # a factor a seed tilts no curve
    assert value(rows, "gap_ratio", n_agents=4)["value"] == pytest.approx(2**0.4)


def test_speedup_finds_linear_scaling_and_the_knee():
    delays = {1: 1, 2: 1, 4: 1, 8: 1, 16: 1, 32: 1.25**2}
    cells = [made_up(power(0.5, delay), n_agents=n) for n, delay in delays.items()]
    rows = table(speedup(cells, (0.2, 0.1, 0.05)))
    for epsilon in (0.2, 0.1, 0.05):
        assert value(rows, "updates", n_agents=1, epsilon=epsilon)["value"] == pytest.approx(epsilon**-2, rel=0.01)
        assert value(rows, "per_agent_exponent", epsilon=epsilon)["value"] == pytest.approx(1, abs=0.01)
        assert value(rows, "updates_ratio", n_agents=32, epsilon=epsilon)["value"] == pytest.approx(1.5625, rel=0.01)
        assert value(rows, "knee", epsilon=epsilon)["value"] == pytest.approx(16 * 2**0.5, rel=0.02)
    assert value(rows, "knee_exponent")["value"] == pytest.approx(0, abs=0.02)


def test_a_sum_that_grows_with_the_agents_is_no_linear_speedup():
    cells = [made_up(power(0.5, n**0.25), n_agents=n) for n in (1, 2, 4, 8)]
    assert value(table(speedup(cells, (0.1,))), "per_agent_exponent")["value"] == pytest.approx(0.75, abs=0.01)


def test_what_nobody_reaches_has_no_ratio_and_what_one_agent_alone_reaches_is_a_bound():
    stuck = np.maximum(power(0.5), 0.3)
    rows = table(speedup([made_up(power(0.5)), made_up(stuck, n_agents=8)], (0.1, 0.001)))
    bound = value(rows, "updates_ratio", epsilon=0.1)
    assert (bound["relation"], bound["high"]) == (">", np.inf)
    assert bound["value"] == pytest.approx(100, rel=0.05)  # 10,000 updates over 100
    assert rows[(rows["quantity"] == "updates_ratio") & (rows["epsilon"] == 0.001)].empty
    assert value(rows, "knee", epsilon=0.1)["value"] < 8


def test_the_knee_at_the_best_step_is_that_of_the_fastest_single_agent():
    cells = [made_up(power(0.5, d * s), n_agents=n, step_size=eta)
             for eta, s, last in ((0.1, 1, 4), (0.05, 2, 16)) for n, d in ((1, 1), (last, 1.25**2))]  # fmt: skip
    rows = table(speedup(cells, (0.1,)))
    at_best = value(rows, "knee_at_best")
    assert at_best["step_size"] == 0.1
    assert at_best["value"] == pytest.approx(2, rel=0.02)


def test_the_lookahead_pays_where_vanillas_gap_is_larger():
    pair = [made_up(power(0.5), panel="lookahead"), made_up(2 * power(0.5), panel="lookahead", algorithm="async_pg")]
    row = value(table(lookahead(pair, ())), "average_gap_ratio")
    assert row["value"] == pytest.approx(1, rel=0.01)  # gaps are in multiples of the first
    slower = made_up(power(0.5, 4), panel="lookahead", algorithm="async_pg")
    row = value(table(lookahead([pair[0], slower], ())), "average_gap_ratio")
    assert row["value"] == pytest.approx(2, rel=0.05)
    assert row["low"] > 1


def test_each_at_its_best_compares_other_settings():
    pair = [made_up(power(0.5), panel="best"),
            made_up(power(0.5, 1.3), panel="best", algorithm="async_pg", step_size=0.2, momentum=0.5)]  # fmt: skip
    assert value(table(best(pair, (0.1,))), "best_updates_ratio")["value"] == pytest.approx(1.3, rel=0.01)


def test_attacks_and_defences_are_compared_with_the_clean_run_of_their_mode():
    flip, held = AdversarySpec(attack="sign_flip", number=3), ServerOptions(defence="clip")
    stuck = np.maximum(power(0.5), 0.9)
    cells = [
        made_up(power(0.5)),
        made_up(stuck, adversary=flip),
        made_up(power(0.5, 1.4), algorithm="robust_afedpg", server=held, adversary=flip),
        made_up(power(0.5, 3), algorithm="fedpg"),
        made_up(power(0.5, 6), algorithm="robust_fedpg", server=ServerOptions(defence="krum")),
    ]
    rows = table(adversaries(cells, (0.1,)))
    ratio = {"quantity": "attacked_updates_ratio"}
    assert value(rows, **ratio, attack="none", defence="none", algorithm="afedpg")["value"] == pytest.approx(1)
    assert value(rows, **ratio, attack="sign_flip", defence="none")["relation"] == ">"
    assert value(rows, **ratio, defence="clip")["value"] == pytest.approx(1.4, rel=0.01)
    assert value(rows, **ratio, defence="krum")["value"] == pytest.approx(2, rel=0.02)
    assert value(rows, "share_of_seeds", attack="sign_flip", defence="none")["value"] == 0
    assert value(rows, "share_of_seeds", defence="clip")["value"] == 1


def test_rennala_is_faster_where_afedpg_takes_longer():
    def pair(**settings):
        cells = [made_up(power(0.5, 3), panel="rennala", **settings)]
        cells.append(
            made_up(power(0.5), algorithm="rennala", server=ServerOptions(batch=4), panel="rennala", **settings)
        )
        for m in cells:
            m.curves.time_SP[:] = 2 * m.curves.uploads_P
        return cells

    rows = table(rennala([*pair(), *pair(communication=2.3)], (0.1,)))
    for quantity in ("rennala_time_ratio", "rennala_updates_ratio"):
        both = rows[rows["quantity"] == quantity]
        assert both["value"].tolist() == pytest.approx([3, 3], rel=0.01)
        assert both["communication"].fillna(0).tolist() == [0, 2.3]

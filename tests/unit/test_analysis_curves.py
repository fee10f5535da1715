"""Alignment, areas, fleets, the poster's curves: against closed forms."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import synthetic

from frl.analysis import waiting
from frl.analysis.curves import STEPS, TIME, UPLOADS, Curves, Run, align, all_curves, mean_height
from frl.analysis.poster import poster_curve, poster_curves
from frl.analysis.thresholds import seed_times

SLOPES = [1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8]


def frame_of(*runs: tuple[list[float], list[float], str]) -> pd.DataFrame:
    """Rows of one cell from (x, returns, status of the last row) for seeds 0, 1, ..."""
    rows = []
    for seed, (x, returns, status) in enumerate(runs):
        for point, (a, b) in enumerate(zip(x, returns, strict=True)):
            last = point == len(x) - 1
            rows.append(("Hopper", "afedpg", 2, seed, point, a, b, status if last else "ok"))
    columns = ["environment", "method", "n_agents", "seed", "point", STEPS, "eval_return_mean", "status"]
    return pd.DataFrame(rows, columns=columns)


def curves(slopes: list[float], end: float = 100.0, seeds: tuple[int, ...] | None = None, n_agents: int = 1) -> Curves:
    """Straight lines through 0."""
    x = np.linspace(0, end, 101)
    returns = np.outer(slopes, x)
    seeds = seeds or tuple(range(len(slopes)))
    runs = tuple(Run(seed, x, row, float("nan")) for seed, row in zip(seeds, returns, strict=True))
    return Curves("Hopper", "afedpg", n_agents, STEPS, runs, x, returns)


def test_alignment_interpolates_linearly_and_never_extrapolates() -> None:
    aligned = align(frame_of(([0, 10, 30], [0, 10, 30], "ok"), ([0, 13, 24], [0, 26, 48], "ok")), STEPS, points=25)
    assert aligned.x[-1] == 24
    assert aligned.returns_SG[0] == pytest.approx(aligned.x)
    assert aligned.returns_SG[1] == pytest.approx(2 * aligned.x)


def test_against_messages_every_runs_points_are_on_the_grid_and_one_that_ended_holds_its_last() -> None:
    rows = frame_of(([0, 10, 11, 40], [0, 0, 90, 0], "ok"), ([0, 13, 24, 24], [0, 26, 99, 48], "ok"))
    aligned = align(rows.rename(columns={STEPS: UPLOADS}), UPLOADS)
    assert aligned.x.tolist() == [0, 10, 11, 13, 24, 40]
    assert aligned.returns_SG[0, 2] == 90  # a peak between the points of an even grid
    assert aligned.returns_SG[1].tolist() == [0, 20, 22, 26, 48, 48]


def test_a_diverged_run_holds_its_last_value_and_is_flagged() -> None:
    aligned = align(
        frame_of(([0, 10, 20], [0, 10, 20], "ok"), ([0, 5, 8], [0, 7, np.nan], "diverged")), STEPS, points=21
    )
    assert aligned.x[-1] == 20
    assert aligned.diverged.tolist() == [False, True]
    assert aligned.runs[1].diverged_at == 8
    assert aligned.returns_SG[1, aligned.x >= 5] == pytest.approx(7)
    assert aligned.final_S == pytest.approx([19, 7])


def test_if_every_run_diverged_the_curve_ends_at_the_last_divergence() -> None:
    aligned = align(frame_of(([0, 5], [1, np.nan], "diverged"), ([0, 4, 8], [0, 4, np.nan], "diverged")), STEPS)
    assert aligned.x[-1] == 8
    assert aligned.returns_SG[:, -1] == pytest.approx([1, 4])


def test_mean_height() -> None:
    three = curves([0.2, 0.6, 1.0])
    assert mean_height(three, 100.0) == pytest.approx([10, 30, 50])
    assert mean_height(three, 50.5) == pytest.approx([5.05, 15.15, 25.25])
    with pytest.raises(ValueError, match="the curve covers"):
        mean_height(three, 101.0)


def test_synthetic_runs_cross_where_their_law_says() -> None:
    scenario = synthetic.scenario(seeds=tuple(range(6)))
    for (_, method, n), one in all_curves(synthetic.frame(scenario, noise=0.0), STEPS).items():
        pace = synthetic.PACE[method] * n**0.75 / (1.5 * synthetic.STEPS)
        expected = np.log(100 / 60) / (2 * pace)
        assert seed_times(one, 60) == pytest.approx(expected, rel=0.05), (method, n)


def test_waiting_gain_of_the_posters_fleet() -> None:
    scenario = synthetic.scenario(methods={"fedpg": (1, 4, 8)})
    gains = [waiting.waiting_gain(scenario.resolve("Swimmer", "fedpg", n, 0)) for n in (1, 4, 8)]
    assert gains == pytest.approx([1, 3.25, 3.625])


@pytest.mark.parametrize(("kind", "times"), [("constant", [1, 1, 1, 1]), ("linear", [1, 2, 3, 4])])
def test_task_seconds_of_other_fleets(kind: str, times: list[float]) -> None:
    spec = synthetic.scenario(methods={"fedpg": (4,)}).resolve("Swimmer", "fedpg", 4, 0)
    spec = type(spec)(
        **{**spec.model_dump(), "fleet": {"kind": kind, "seconds_per_1000_steps": 2.0, "overhead_s": 3.0}}
    )
    assert waiting.task_seconds(spec) == pytest.approx(3 + 2 * 2.048 * np.array(times))
    assert waiting.round_seconds(spec) == pytest.approx(3 + 2 * 2.048 * max(times))


def test_a_lognormal_round_lasts_as_long_as_the_slowest_draw() -> None:
    spec = synthetic.scenario(methods={"fedpg": (4,)}).resolve("Swimmer", "fedpg", 4, 0)
    spec = type(spec)(**{**spec.model_dump(), "fleet": {"kind": "lognormal", "sigma": 0.7}})
    draws = np.exp(0.7 * np.random.default_rng(0).standard_normal((200_000, 4)) - 0.7**2 / 2)
    assert waiting.waiting_gain(spec) == pytest.approx(draws.max(axis=1).mean(), rel=0.01)


def test_the_posters_numbers_come_out_of_its_digitised_curves() -> None:
    def time(method: str, n: int, axis: str) -> float:
        curve = poster_curve("Swimmer", method, n, axis)
        assert curve is not None
        return float(seed_times(curve, 100)[0])

    assert time("afedpg", 1, STEPS) == pytest.approx(666_000, rel=0.02)
    assert time("afedpg", 1, STEPS) / time("afedpg", 8, STEPS) == pytest.approx(4.72, rel=0.02)
    for n, expected in ((4, 3.6), (8, 5.4)):
        assert time("fedpg", n, TIME) / time("afedpg", n, TIME) == pytest.approx(expected, rel=0.03)


def test_the_poster_has_swimmer_only() -> None:
    assert poster_curve("Hopper", "afedpg", 8, STEPS) is None
    assert poster_curve("Swimmer", "afedpg", 16, STEPS) is None
    assert set(poster_curves()["algorithm"]) == {"pg", "afedpg", "fedpg", "async_pg", "a3c"}

"""A policy at play as a film: the right policy, the right episode, and what the report makes of it."""

from __future__ import annotations

import csv
import itertools
import os
import stat
from dataclasses import replace

import numpy as np
import pytest
import synthetic
from PIL import Image, ImageChops

from frl.analysis import load
from frl.cli import main
from frl.report.document import contents
from frl.report.gaits import best, film, opengl, section
from frl.report.gaits.view import HEIGHT, VIEWS, WIDTH, Robot
from frl.runs import named
from frl.runs.evaluate import EvaluateError, play
from frl.runs.gait import beginning, gait
from frl.runs.paths import run_paths
from frl.runs.runner import run_one
from frl.scenario.products import FILMS
from frl.scenario.scenario import Scenario
from frl.spec import ENVIRONMENTS, SERVERS, RunSpec
from frl.training.envs import Hopper
from frl.training.execute import execute
from frl.training.heterogeneity import Variant, variants
from frl.training.policy import GaussianPolicy

SPEC = RunSpec(
    environment="Hopper",
    algorithm="afedpg",
    n_agents=2,
    seed=3,
    steps_per_agent=512,
    policy={"hidden": (8,)},
    sampling={"lanes": 4, "segment_steps": 16},
    evaluation={"episodes": 2},
)


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    run_one(SPEC, folder, "s")
    return folder


@pytest.fixture
def run(results):
    return named.read(run_paths(SPEC, results, "s")[0])


@pytest.fixture
def no_tools(monkeypatch):
    """A machine without OSMesa and ffmpeg."""
    monkeypatch.setattr(opengl, "available", lambda: False)
    monkeypatch.setenv("PATH", "/nonexistent")


# --------------------------------------------------------------------------------------------------
# Policy and episode


@pytest.mark.parametrize("algorithm", SERVERS)
@pytest.mark.parametrize("normalizer", ["federated", "local"])
def test_a_run_with_a_smaller_budget_is_the_beginning_of_the_longer_one(algorithm, normalizer):
    """Row by row, of every algorithm; and a stop rule or a simulated time moves nothing before the end."""
    given = SPEC.model_dump(exclude={"server"}) | {"algorithm": algorithm, "normalizer": {"mode": normalizer}}
    long = RunSpec(**given | {"sim_seconds": 2.0, "stop_at": 1e6})
    whole, part = (execute(each)[0].splitlines() for each in (long, beginning(long, 256)))
    assert 3 < len(part) < len(whole)
    assert part[:-1] == whole[: len(part) - 1]  # the last row is evaluated out of turn


def test_the_policy_at_the_end_trained_again_is_the_kept_one(run):
    made = run.meta["env_steps_total"] // 2
    kept, again = gait(run), gait(run, at=made)
    assert np.array_equal(kept.positions, again.positions)
    assert (kept.steps_per_agent, kept.note) == (again.steps_per_agent, again.note) == (made, "")
    assert not np.array_equal(kept.positions, gait(run, at=256).positions)


def test_policies_come_with_the_first_arrival_that_completes_the_steps(run):
    assert gait(run, at=1).steps_per_agent == SPEC.steps_per_upload / 2
    assert gait(run, at=300).steps_per_agent == 320


def test_at_zero_it_is_the_initial_policy_with_raw_observations(run, monkeypatch):
    monkeypatch.setattr(GaussianPolicy, "init", lambda self, stream: np.zeros(self.size, np.float32))
    first = gait(run, at=0, mean_action=True)
    monkeypatch.undo()
    assert first.steps_per_agent == 0
    assert np.array_equal(first.positions, _hopper_at_rest(len(first.positions)))
    assert not np.array_equal(first.positions, gait(run, at=0, mean_action=True).positions)


def _hopper_at_rest(length, variant=Variant()):  # noqa: B008
    """The positions of the first episode of evaluation seed 0 if nothing is ever done."""
    env = Hopper("v4", [SPEC.stream("probe")], None, [variant])
    env.streams[:] = [SPEC.stream("evaluation", -1, 0)]
    env.reset(env.all_lanes)
    positions = [env.physics.qpos[0].copy()]
    for _ in range(length - 1):
        env.step(np.zeros((1, env.action_size)))
        positions.append(env.physics.qpos[0].copy())
    return np.array(positions)


@pytest.mark.parametrize("mean_action", [False, True])
def test_the_episode_is_the_first_of_frl_evaluate_with_the_same_seed(run, mean_action):
    for seed in (0, 4):
        seen = gait(run, seed=seed, mean_action=mean_action)
        evaluated = play(SPEC, run.policy(), -1 - seed, 1, mean_action)
        assert [seen.episode_return] == evaluated.returns
        assert [len(seen.positions) - 1] == evaluated.lengths


def test_the_same_seed_gives_the_same_trajectory_and_another_seed_another(run):
    first, again, other = gait(run), gait(run), gait(run, seed=1)
    assert first.positions.tobytes() == again.positions.tobytes()
    assert not np.array_equal(first.positions[0], other.positions[0])


def test_the_first_agents_environment_is_played_where_they_differ(tmp_path, monkeypatch):
    ranges = SPEC.heterogeneity.model_copy(update={"gravity": (0.2, 0.5)})
    spec = SPEC.model_copy(update={"heterogeneity": ranges})
    run_one(spec, tmp_path, "s")
    run = named.read(run_paths(spec, tmp_path, "s")[0])
    monkeypatch.setattr(GaussianPolicy, "init", lambda self, stream: np.zeros(self.size, np.float32))
    seen = gait(run, at=0, mean_action=True)
    own, other = (_hopper_at_rest(len(seen.positions), variant) for variant in variants(spec))
    assert np.array_equal(seen.positions, own)
    assert not np.array_equal(seen.positions, other)


def test_another_draw_is_told(run):
    lines = run.table.splitlines(keepends=True)
    cells = lines[2].split(b",")
    cells[lines[0].split(b",").index(b"eval_return_mean")] = b"1.5"
    other = named.NamedRun(run.path, b"".join([*lines[:2], b",".join(cells), *lines[3:]]), run.facts, run.meta, None)
    assert "another draw of the same seed: line 3, eval_return_mean: 1.5 before" in gait(other, at=256).note


def test_what_cannot_be_filmed_is_one_message(run, tmp_path, capsys, no_tools):
    for arguments, told in (
        (["--at", "-1"], "--at = -1: must be steps per agent, from 0 to the 512"),
        (["--at", "513"], "--at = 513: must be"),
        (["--seed", "-1"], "--seed = -1: must be 0 or more"),
        (["--seconds", "0"], "--seconds = 0.0: must be above 0"),
        (["--seconds", "nan"], "--seconds = nan: must be above 0"),
        (["--out", str(tmp_path / "film.mp4")], "must end in .gif"),
    ):
        assert main(["render", str(run.path), *arguments]) == 2
        assert told in capsys.readouterr().err
    elsewhere = named.NamedRun(run.path, run.table, run.facts, {**run.meta, "numerics_version": 0}, None)
    with pytest.raises(EvaluateError, match="other libraries, so --at cannot train it again"):
        gait(elsewhere, at=0)


def test_a_run_that_diverged_has_no_policy_there(tmp_path):
    spec = RunSpec(**SPEC.model_dump(exclude={"server"}), server={"step_size": 1e30})
    run_one(spec, tmp_path, "s")
    run = named.read(run_paths(spec, tmp_path, "s")[0])
    made = int(run.meta["env_steps_total"] / 2)
    with pytest.raises(EvaluateError, match=rf"--at = {made}: the run diverged before"):
        gait(run, at=made)


# --------------------------------------------------------------------------------------------------
# Film


@pytest.mark.parametrize("task", ENVIRONMENTS)
def test_every_task_is_seen_whole(task):
    """The robot at its start is inside the picture, and the picture's middle is at its height or above it."""
    robot, view = Robot(task, "v4"), VIEWS[task]
    robot.place(robot.model.qpos0)
    up = 1 if view.height is None else 2
    away = np.abs(robot.segments() - robot.look_at()) + robot.thickness()[:, None, None] / 2
    assert away[..., 0].max() < view.width / 2
    assert away[..., up].max() < view.width * HEIGHT / WIDTH / 2


def test_a_film_is_readable_and_says_what_it_is(run, no_tools, capsys):
    assert main(["render", str(run.path), "--at", "128", "--seconds", "0.2"]) == 0
    path = run.path.parents[4] / FILMS / "Hopper-afedpg-n2-seed3-at128.gif"
    assert capsys.readouterr().out == f"{path}\n"
    seen = gait(run, at=128)
    with Image.open(path) as made:
        assert made.size == (WIDTH, HEIGHT + film.BAND)
        assert made.n_frames == len(film.pictures(seen, 0.2)[0]) == 3
        assert made.info["duration"] == 80
        first = made.convert("RGB")
        made.seek(2)
        assert ImageChops.difference(first, made.convert("RGB")).crop((0, 0, WIDTH, HEIGHT)).getbbox()
    rows = csv.DictReader(run.table.decode().splitlines())
    (evaluated,) = (row["eval_return_mean"] for row in rows if row["env_steps_per_agent"] == "128.0")
    assert film.facts_in(path) == {
        "environment": "Hopper",
        "curve": "AFedPG, N = 2",
        "run_seed": 3,
        "steps_per_agent": 128,
        "return": round(seen.episode_return, 2),
        "evaluated": round(float(evaluated), 2),
        "episode_seed": 0,
        "mean_action": False,
    }


def test_a_film_that_would_be_too_large_ends_sooner(run, tmp_path, monkeypatch):
    monkeypatch.setattr(opengl, "available", lambda: False)
    seen, sizes, frames = gait(run), [], []
    for name, largest in (("whole", None), ("cut", 8_000)):
        path = tmp_path / f"{name}.gif"
        assert film.write(seen, path, 0.5, largest=largest)[0] == path
        sizes.append(path.stat().st_size)
        with Image.open(path) as made:
            frames.append(made.n_frames)
    assert sizes[1] <= 8_000 < sizes[0]
    assert 1 < frames[1] < frames[0]


def test_no_film_takes_the_place_of_another_episodes(run):
    named = {film.path_of(run.path, gait(run, **more)).name for more in ({}, {"seed": 1}, {"mean_action": True})}
    assert named == {f"Hopper-afedpg-n2-seed3-at512{end}.gif" for end in ("", "-episode1", "-mean-action")}


@pytest.mark.parametrize("task", ENVIRONMENTS)
def test_six_seconds_of_film_are_shown_in_time(run, task):
    """The pictures' steps and durations are of one speed, whatever the task's seconds a step."""
    dt = Robot(task, "v4").model.opt.timestep * {"Swimmer": 4, "Hopper": 4, "Walker2d": 4}.get(task, 5)
    seen = replace(gait(run), spec=SPEC.model_copy(update={"environment": task}), dt=dt, positions=np.zeros((9999, 1)))
    steps, stands = film.pictures(seen)
    assert (len(steps) - 1) * stands == pytest.approx(6, abs=stands)
    assert {b - a for a, b in itertools.pairwise(steps)} == {round(stands * VIEWS[task].speed / dt)}
    assert 0.05 <= stands <= 0.1


def test_ffmpeg_gets_every_picture(run, tmp_path, monkeypatch):
    monkeypatch.setattr(opengl, "available", lambda: False)
    tool = tmp_path / "ffmpeg"
    tool.write_text('#!/bin/sh\nfor last; do :; done\ncat > "$last"\n')
    tool.chmod(tool.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    seen = gait(run)
    gif, mp4 = film.write(seen, tmp_path / "a.gif", 0.2)
    assert gif.name == "a.gif"
    assert mp4.stat().st_size == 3 * 3 * WIDTH * (HEIGHT + film.BAND)
    tool.write_text("#!/bin/sh\necho 'Unknown encoder' >&2\nexit 1\n")
    with pytest.raises(film.FilmError, match=r"a\.mp4: ffmpeg made no MP4: Unknown encoder"):
        film.write(seen, tmp_path / "a.gif", 0.2)


def test_opengl_is_left_alone_where_another_platform_is_asked_for(monkeypatch):
    monkeypatch.setattr("ctypes.util.find_library", lambda name: f"lib{name}.so.8")
    monkeypatch.delenv("PYOPENGL_PLATFORM", raising=False)
    assert opengl.available()
    monkeypatch.setenv("PYOPENGL_PLATFORM", "egl")
    assert not opengl.available()


@pytest.mark.short
@pytest.mark.suite("gaits")
def test_mujoco_draws_where_osmesa_is(run, tmp_path):
    seen = gait(run)
    film.write(seen, tmp_path / "gl.gif", 0.1)
    film.write(seen, tmp_path / "lines.gif", 0.1, skeleton=True)
    rows = [_pixels(tmp_path / name) for name in ("gl.gif", "lines.gif")]
    assert rows[0].std() > 10
    assert np.abs(rows[0] - rows[1]).mean() > 10


def _pixels(path):
    """Of the first picture, without the caption, grey."""
    with Image.open(path) as made:
        return np.asarray(made.convert("L"), float)[:HEIGHT]


# --------------------------------------------------------------------------------------------------
# Each task's best


@pytest.fixture
def two(tmp_path, no_tools, monkeypatch):
    """A scenario of two runs, made and collected, and the seed whose final return is the higher one."""
    given = SPEC.model_dump(exclude={"environment", "algorithm", "n_agents", "seed", "server"}, exclude_unset=True)
    scenario = Scenario(
        name="s", title="Two", tuned="No.", environments=("Hopper",), seeds=(3, 4), thresholds={"Hopper": "9 return"},
        methods=[{"algorithm": "afedpg", "n_agents": (2,)}], run=given,
    )  # fmt: skip
    for spec in scenario.runs():
        run_one(spec, tmp_path, "s")
    load.collect(scenario, tmp_path, tmp_path / "s", partial=False)
    (one,) = best.best(load.read_curves(tmp_path / "s")).values()
    monkeypatch.setattr(film, "SECONDS", 0.2)
    return scenario, tmp_path, one


def _filmed(base):
    return {path.name: film.facts_in(path)["run_seed"] for path in sorted((base / FILMS).glob("*.gif"))}


def test_each_tasks_best_policy_is_filmed_once(two, capsys):
    scenario, results, one = two
    base, name = results / "s", "best-Hopper.gif"
    best.film_best(scenario, results, base)
    assert _filmed(base) == {name: one.seed}
    assert one.is_seen_in(film.facts_in(base / FILMS / name))
    before = (base / FILMS / name).stat().st_mtime_ns
    best.film_best(scenario, results, base)
    assert (base / FILMS / name).stat().st_mtime_ns == before
    text = section.films(base)
    assert text.count("Best policy: Hopper, AFedPG, N = 2") == 2  # alt and caption
    assert "the run with the highest final return" in text
    assert not capsys.readouterr().err


def test_a_film_that_is_there_already_is_not_made_again_and_a_former_best_goes(two):
    scenario, results, one = two
    base, other = results / "s", 7 - one.seed
    for seed, name in ((one.seed, "mine.gif"), (other, "best-Hopper.gif"), (other, "other.gif")):
        run = run_paths(scenario.resolve("Hopper", "afedpg", 2, seed), results, "s")[0]
        film.write(gait(named.read(run)), base / FILMS / name)
    best.film_best(scenario, results, base)
    assert _filmed(base) == {"mine.gif": one.seed, "other.gif": other}
    assert [film.path.name for film in section.made(base) if film.is_best] == ["mine.gif"]


def test_without_its_policy_the_best_run_is_named(two, capsys):
    scenario, results, one = two
    for path in (results / ".store").rglob("policy.safetensors"):
        path.unlink()
    best.film_best(scenario, results, results / "s")
    told = capsys.readouterr().err
    assert "frl: note: Hopper's best gait is not shown: " in told
    assert f"seed{one.seed}.csv: its policy is not kept; `frl reproduce " in told
    assert not _filmed(results / "s")


def test_runs_that_stop_at_a_return_or_diverge_are_not_the_best():
    methods = [{"algorithm": name, "n_agents": (4,)} for name in ("afedpg", "fedpg")]
    stops = [{"where": {"algorithm": ["fedpg"]}, "set": {"stop_at": 60}}]
    scenario = synthetic.scenario(methods=methods, overrides=stops)
    frame = synthetic.frame(scenario)
    (one,) = best.best(frame).values()
    last = frame[(frame["algorithm"] == "afedpg") & (frame["point"] == frame["point"].max())]
    finals = {row.seed: row.eval_return_mean for row in last.itertuples()}
    assert (one.environment, one.method, one.n_agents) == ("Swimmer", "afedpg", 4)
    assert one.seed == max(finals, key=finals.get)
    frame.loc[(frame["method"] == "afedpg") & (frame["seed"] == one.seed), "status"] = "diverged"
    assert best.best(frame)["Swimmer"].seed not in (one.seed, None)
    assert best.best(frame[frame["method"] == "fedpg"]) == {}


# --------------------------------------------------------------------------------------------------
# The report's section


@pytest.fixture
def base(run, tmp_path, no_tools, monkeypatch):
    """A scenario's folder with two films, none of the best run, and a picture that `frl render` did not make."""
    monkeypatch.setattr(section, "read_curves", lambda base: synthetic.frame(synthetic.scenario()))
    for at in (320, 0):
        film.write(gait(run, at=at), tmp_path / FILMS / f"at{at}.gif", 0.1)
    Image.new("L", (9, 9)).save(tmp_path / FILMS / "other.gif")
    return tmp_path


def test_films_are_shown_in_order_and_stand_still_for_who_wants_that(base):
    text = section.films(base)
    assert text.index("before any training: return") < text.index("after 320 steps per agent: return")
    assert "other.gif" not in text
    assert text.count("<picture>") == text.count('srcset="data:image/png') == text.count('src="data:image/gif') == 2
    assert text.count('media="(prefers-reduced-motion: reduce), print"') == 2
    assert text.count('alt="Seen from the side: Hopper, AFedPG, N = 2') == 2
    assert 'href="gaits/at0.gif"' in text
    assert '"#what-it-looks-like"' in contents(text)


def test_no_films_no_section(tmp_path):
    assert section.films(tmp_path) == ""


def test_the_page_holds_so_much_and_no_more(base, monkeypatch):
    monkeypatch.setattr(section, "EMBEDDED", (base / FILMS / "at0.gif").stat().st_size)
    text = section.films(base)
    assert text.count('src="data:image/gif') == 1
    assert text.count("data:image/png") == 2
    assert text.count("The film</a>") == 2

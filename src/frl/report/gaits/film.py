"""A gait as a GIF, and where ffmpeg is as an MP4."""

from __future__ import annotations

import io
import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from frl.analysis.names import curve_name
from frl.report.gaits import opengl
from frl.report.gaits.skeleton import Skeleton
from frl.report.gaits.view import HEIGHT, VIEWS, WIDTH, Robot
from frl.runs.files import write_atomically
from frl.runs.gait import Gait
from frl.runs.paths import scenario_folder
from frl.scenario.products import FILMS

FRAME_S = 0.08
"""Seconds that a picture stands, about."""
SECONDS = 6.0
"""How long a film is if nothing else is said."""
COLOURS = 16
BAND = 56
"""Pixels of the caption."""
FONT_SIZES = (12, 11, 10, 9)
FACTS = {"environment", "curve", "run_seed", "steps_per_agent", "return", "evaluated", "episode_seed", "mean_action"}


class FilmError(ValueError):
    """A film that cannot be made; the message says why."""


def path_of(run: Path, gait: Gait) -> Path:
    """Where a film goes if nothing else is said: in the folder `FILMS` of the run's scenario.

    Raises:
        FilmError: if the run lies in no scenario's folder.
    """
    folder = scenario_folder(run)
    if folder is None:
        raise FilmError(f"{run} lies in no results folder: say with --out where the film goes")
    spec, steps = gait.spec, round(gait.steps_per_agent)
    name = f"{spec.environment}-{gait.method}-n{spec.n_agents}-seed{spec.seed}-at{steps}"
    name += f"-episode{gait.seed}" * (gait.seed > 0) + "-mean-action" * gait.mean_action
    return folder / FILMS / f"{name}.gif"


def check(path: Path | None, seconds: float | None) -> None:
    """Refuse what :func:`write` cannot write, before anything is trained.

    Raises:
        FilmError: if there is a path that is no GIF's, or no time to show.
    """
    if path is not None and path.suffix != ".gif":
        raise FilmError(f"--out = {path}: must end in .gif; an MP4 goes beside it")
    if seconds is not None and not 0 < seconds < math.inf:
        raise FilmError(f"--seconds = {seconds}: must be above 0")


def pictures(gait: Gait, seconds: float | None = None) -> tuple[list[int], float]:
    """Which steps of the episode are shown, and the seconds that each picture stands.

    Args:
        gait: the episode.
        seconds: of the episode, from its start; None: `SECONDS` of film.
    """
    speed = VIEWS[gait.spec.environment].speed
    stride = max(1, round(FRAME_S * speed / gait.dt))
    last = min(len(gait.positions) - 1, round((SECONDS * speed if seconds is None else seconds) / gait.dt))
    return list(range(0, last + 1, stride)), stride * gait.dt / speed


def write(
    gait: Gait, path: Path, seconds: float | None = None, skeleton: bool = False, largest: int | None = None
) -> list[Path]:
    """Draw the gait; the files written: `path`, a GIF, and where ffmpeg is an MP4 beside it.

    Args:
        gait: the episode.
        path: ends in .gif.
        seconds: see :func:`pictures`.
        skeleton: draw lines, also where OpenGL is.
        largest: bytes that the GIF may have: a larger one ends sooner; there is no MP4 then.

    Raises:
        FilmError: see :func:`check`; or if ffmpeg fails, and the GIF is there then.
    """
    check(path, seconds)
    steps, stands = pictures(gait, seconds)
    frames = list(_frames(gait, steps, skeleton))
    path.parent.mkdir(parents=True, exist_ok=True)
    content = _gif(frames, stands, facts_of(gait))
    while largest is not None and len(content) > largest and len(frames) > 1:
        frames = frames[: min(int(len(frames) * largest / len(content)), len(frames) - 1) or 1]
        content = _gif(frames, stands, facts_of(gait))
    write_atomically(path, content)
    if largest is not None or shutil.which("ffmpeg") is None:
        return [path]
    _mp4(frames, stands, path.with_suffix(".mp4"))
    return [path, path.with_suffix(".mp4")]


def facts_of(gait: Gait) -> dict[str, Any]:
    """What a film says about itself, in the GIF's comment."""
    return {
        "environment": gait.spec.environment,
        "curve": curve_name(gait.method, gait.spec.n_agents),
        "run_seed": gait.spec.seed,
        "steps_per_agent": round(gait.steps_per_agent),
        "return": round(gait.episode_return, 2),
        "evaluated": round(gait.evaluated, 2),
        "episode_seed": gait.seed,
        "mean_action": gait.mean_action,
    }


def facts_in(path: Path) -> dict[str, Any] | None:
    """What a file says of itself (:func:`facts_of`); None if it is no film of `write`."""
    try:
        with Image.open(path) as film:
            facts = json.loads(film.info.get("comment", b""))
    except (OSError, ValueError):
        return None
    return facts if isinstance(facts, dict) and facts.keys() >= FACTS and facts["environment"] in VIEWS else None


def _frames(gait: Gait, steps: list[int], skeleton: bool) -> Iterator[Image.Image]:
    robot = Robot(gait.spec.environment, gait.spec.env_version)
    painter = Skeleton(robot) if skeleton or not opengl.available() else opengl.OpenGL(robot)
    try:
        for step in steps:
            robot.place(gait.positions[step])
            yield _captioned(painter.paint(), gait, step)
    finally:
        if isinstance(painter, opengl.OpenGL):
            painter.close()


def _captioned(picture: Image.Image, gait: Gait, step: int) -> Image.Image:
    """The picture with task, method, steps and return below, and how far the robot has come."""
    whole = Image.new("RGB", (WIDTH, HEIGHT + BAND), "white")
    whole.paste(picture)
    drawing, speed = ImageDraw.Draw(whole), VIEWS[gait.spec.environment].speed
    drawing.line((0, HEIGHT, WIDTH, HEIGHT), fill="#12222e")
    moved = gait.positions[step, 0] - gait.positions[0, 0]
    faster = f", {speed:g} times as fast" if speed != 1 else ""
    lines = (
        f"{gait.spec.environment}, {curve_name(gait.method, gait.spec.n_agents)}" + ", mean action" * gait.mean_action,
        f"{gait.steps_per_agent:,.0f} steps per agent, return {gait.episode_return:.0f}".replace("-", "−"),
        f"{step * gait.dt:.1f} s{faster}: {moved:+.1f} m".replace("-", "−"),
    )
    for number, line in enumerate(lines):
        drawing.text((6, HEIGHT + 4 + 17 * number), line, fill="#12222e", font=_font(line))
    return whole


def _font(line: str) -> ImageFont.FreeTypeFont:
    """The largest in which the line fits."""
    file = f"{matplotlib.get_data_path()}/fonts/ttf/DejaVuSans.ttf"  # matplotlib brings it
    fonts = [ImageFont.truetype(file, size) for size in FONT_SIZES]
    return next((font for font in fonts if font.getlength(line) <= WIDTH - 12), fonts[-1])


def _gif(frames: list[Image.Image], stands: float, facts: dict[str, Any]) -> bytes:
    """All pictures with one palette, that of the middle one: what stands still costs nothing then."""
    palette = frames[len(frames) // 2].quantize(COLOURS, method=Image.Quantize.MEDIANCUT)
    flat = [frame.quantize(palette=palette, dither=Image.Dither.NONE) for frame in frames]
    content = io.BytesIO()
    comment = json.dumps(facts).encode()
    flat[0].save(
        content,
        "GIF",
        save_all=True,
        append_images=flat[1:],
        duration=round(100 * stands) * 10,
        loop=0,
        comment=comment,
        optimize=True,
    )
    return content.getvalue()


def _mp4(frames: list[Image.Image], stands: float, path: Path) -> None:
    size, rate = f"{frames[0].width}x{frames[0].height}", f"{1 / stands:.4f}"
    given = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", size, "-r", rate, "-i", "-")
    wanted = ("-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path))
    pixels = b"".join(np.asarray(frame).tobytes() for frame in frames)
    done = subprocess.run(("ffmpeg", "-y", "-loglevel", "error", *given, *wanted), input=pixels, capture_output=True)
    if done.returncode:
        told = done.stderr.decode(errors="replace").strip().splitlines() or [f"exit code {done.returncode}"]
        raise FilmError(f"{path}: ffmpeg made no MP4: {told[-1]}")

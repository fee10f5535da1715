"""Scenario and claims files from disk, or one message that begins with the path."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from frl.errors import SpecError, explain, shown
from frl.scenario.claims import Claims
from frl.scenario.kinds import AnyScenario
from frl.scenario.scenario import Scenario
from frl.scenario.theory import TheoryScenario
from frl.scenario.theory_claims import TheoryClaims
from frl.scenario.yaml_file import YAMLFileError, read_yaml
from frl.training.servers.base import Settings

AnySettings = TypeVar("AnySettings", bound=Settings)


_FILES: dict[type[AnyScenario], dict[str, str]] = {
    Scenario: {"claims": "a claims file, as in claims.yaml", "tuning_times": "a CSV, as `frl times` writes it"},
    TheoryScenario: {"claims": "a claims file, as in claims-theory.yaml", "trials": "a CSV, as in trials-theory.csv"},
}
"""The keys that name a file by its path, and what it is."""


def load_training(path: str | Path) -> Scenario:
    """:func:`load_scenario` of one of training runs.

    Raises:
        SpecError: also if it is one of the theory lab.
    """
    scenario = load_scenario(path)
    if isinstance(scenario, TheoryScenario):
        raise SpecError(f"{path}: kind = 'theory': this needs a scenario of training runs, which has no kind")
    return scenario


def load_scenario(path: str | Path) -> AnyScenario:
    """Read one scenario file, of training runs or of the theory lab, and the files that it names, nothing else.

    Raises:
        SpecError: if a file is missing, no YAML mapping, or not a valid scenario, claims file or CSV.
    """
    path = Path(path)
    data = read_mapping(path, "scenario")
    if (kind := data.get("kind")) not in (None, "theory"):
        raise SpecError(f"{path}: kind = {shown(kind)}: allowed is theory; a scenario of training runs has none")
    if kind is None and "panels" in data:
        raise SpecError(f"{path}: kind: required where there are panels, as in kind: theory")
    for key, what in _FILES[Scenario if kind is None else TheoryScenario].items():
        if data.get(key) in (None, ""):
            data.pop(key, None)
        elif not isinstance(data[key], str):
            hint = "; this looks like a claims file, not a scenario" if key == "claims" and len(data) == 1 else ""
            raise SpecError(f"{path}: {key}: should be the path of {what}, not a {type(data[key]).__name__}{hint}")
        elif key != "claims":
            data[key] = _read_csv(path.parent / data[key], key.replace("_", " "))
    if "claims" in data:
        claims = Claims if kind is None else TheoryClaims
        data["claims"] = _validated(path.parent / data["claims"], "claims file", claims)
    if kind is None:
        return _validated(path, "scenario", Scenario, data)
    return _validated(path, "scenario", TheoryScenario, data)


def _validated(path: Path, what: str, model: type[AnySettings], data: dict[str, Any] | None = None) -> AnySettings:
    """The file's content as the model, or one message that begins with its path."""
    try:
        return model.model_validate(read_mapping(path, what) if data is None else data)
    except ValidationError as error:
        raise SpecError(f"{path}: {explain(error, model)}") from None


def read_mapping(path: Path, what: str) -> dict[str, Any]:
    """A YAML mapping, or one message that begins with its path."""
    try:
        data = read_yaml(_read(path, what))
    except YAMLFileError as error:
        raise SpecError(f"{path}: {error}") from None
    if not isinstance(data, dict):
        raise SpecError(f"{path}: a {what} is a mapping of keys, got {type(data).__name__}")
    return data


def _read(path: Path, what: str) -> str:
    """A file's text, or one message that begins with its path."""
    if odd := [c for c in str(path) if c in "{}" or not c.isprintable()]:
        raise SpecError(f"{shown(str(path))}: Snakemake takes no path with {odd[0]!r}; rename it")
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SpecError(f"{path}: cannot read the {what}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise SpecError(f"{path}: not UTF-8 text: {error}") from None


def _read_csv(path: Path, what: str) -> str:
    """The text of a CSV with a header, or one message that begins with its path."""
    text = _read(path, what)
    try:
        rows = list(csv.reader(text.splitlines()))
    except csv.Error as error:
        raise SpecError(f"{path}: the {what} are no CSV: {error}") from None
    if not rows:
        raise SpecError(f"{path}: the {what} have no header")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]):
            raise SpecError(f"{path}: row {number} has {len(row)} values, the header {len(rows[0])}")
    return text

"""Any scenario and claims file is accepted and can then be run, or is refused: one message, exit code 2, no traceback.

Inputs are committed files with mistakes put into them, and text that is hardly YAML. A small fixed set runs in
`make test`, a wide one in `make test-long`.
"""

from __future__ import annotations

import contextlib
import copy
import io
import math
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from frl.analysis import waiting
from frl.cli import main
from frl.runs import plan
from frl.scenario.loading import load_scenario
from frl.scenario.products import figure_names
from frl.scenario.scenario import Scenario
from frl.spec import SERVERS, RunSpec

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
FIXED = settings(
    max_examples=100, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
WIDE = settings(max_examples=10_000, deadline=None, database=None, suppress_health_check=list(HealthCheck))

EXTREME: list[Any] = [
    None, True, False, 0, -1, 1, 2, 3, 10**9, 2**31, 2**63, 10**18, 10**30, -(10**30), 0.0, -0.0, 0.5, 1.5, 1e-320,
    1e-30, 1e9, 1e300, 1e308, -1e308, math.inf, -math.inf, math.nan, "", " ", "x", "off", "010", "1e3", "1:30",
    "2024-01-01", "é", "\u2028", "a\nb", "a{b}", "{}", "|$_\\", "\U0001f600", "x" * 5000, "Swimmer", "Hopper", "afedpg",
    "fedpg", "a3c", "lapg", "straggler", "lognormal", "none", "local", "waiting_gain", "/", "..", ".", "~",
    [], [[]], [None], {}, {"": 1}, {1: 2}, {"kind": "linear"}, [1, 1], [1, 2, 4],
    ["afedpg", "afedpg"], list(range(300)),
]  # fmt: skip


def _seed_documents() -> list[dict[str, Any]]:
    """Committed scenarios, short of seeds, each with its claims inside."""
    documents = []
    for path in sorted(CONFIG.glob("*.yaml")):
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        if not {"methods", "claims"} <= document.keys():
            continue
        document["claims"] = yaml.safe_load((CONFIG / document["claims"]).read_text(encoding="utf-8"))
        document["seeds"] = [0, 10]  # of the poster, one that goes to the horizon and one that stops
        document.pop("tuning_times", None)
        documents.append(document)
    return documents


def _settings() -> list[tuple[str, str, Any]]:
    """Every setting of a run with its default: (group, key, value)."""
    found = []
    for name in SERVERS:
        spec = RunSpec.model_validate(
            {"environment": "Swimmer", "algorithm": name, "n_agents": 2, "seed": 0, "steps_per_agent": 10**5}
        )
        for group, values in spec.model_dump(mode="json").items():
            items = values.items() if isinstance(values, dict) else [("", values)]
            found += [(group, key, value) for key, value in items]
    return found


DOCUMENTS = _seed_documents()
SETTINGS = _settings()


def places(node: Any) -> Iterator[tuple[Any, Any]]:
    """Every (container, key) below a node."""
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, child in list(items):
        yield node, key
        yield from places(child)


@st.composite
def mistaken(draw: st.DrawFn) -> dict[str, Any]:
    """A committed scenario with one to three changes."""
    document = copy.deepcopy(draw(st.sampled_from(DOCUMENTS)))
    for _ in range(draw(st.integers(1, 3))):
        change(draw, document)
    return document


CHANGES = ["delete", "extreme", "scale", "scale", "wrap", "text", "double", "move", "add", "add"]


def change(draw: st.DrawFn, document: dict[str, Any]) -> None:
    """Delete, replace, scale, wrap, write as text, double, move or add one thing in the document."""
    choices = list(places(document))
    if not choices:
        return
    container, key = choices[draw(st.integers(0, len(choices) - 1))]
    value = container[key]
    match draw(
        st.sampled_from(["delete", "extreme", "scale", "scale", "wrap", "text", "double", "move", "add", "add"])
    ):
        case "delete":
            del container[key]
        case "extreme":
            container[key] = copy.deepcopy(draw(st.sampled_from(EXTREME)))
        case "scale":
            container[key] = scaled(draw, value)
        case "wrap":
            container[key] = draw(st.sampled_from([[value], {"x": value}, [value, value], {key: value}]))
        case "text":
            container[key] = str(value)
        case "double":
            if isinstance(container, list):
                container.append(copy.deepcopy(value))
            else:
                container[draw(st.sampled_from([f"{key}x", "name", "where", "set", 7]))] = copy.deepcopy(value)
        case "move":
            other, there = choices[draw(st.integers(0, len(choices) - 1))]
            other[there] = copy.deepcopy(value)
        case "add":
            group, name, default = draw(st.sampled_from(SETTINGS))
            new = draw(st.one_of(st.sampled_from(EXTREME), st.just(scaled(draw, default))))
            owner = draw(st.sampled_from([document.get("run"), container]))
            if isinstance(owner, dict):
                owner[group] = {name: new} if name else new


FACTORS = [-1, 0, 0.001, 0.1, 0.5, 2, 3, 10, 100, 10**4, 10**6, 10**12, 1e-20, 1e20, 1e-300, 1e300]


def scaled(draw: st.DrawFn, value: Any) -> Any:
    """A number as many times as large; of a list its entries; anything else as it is."""
    if isinstance(value, list):
        return [scaled(draw, each) for each in value]
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    factor = draw(st.sampled_from(FACTORS))
    return round(value * factor) if isinstance(value, int) and abs(factor) < 1e18 else value * factor


SNIPPETS = [
    "name: mini\n", "title: t\n", "seeds: [0]\n", "run: {steps_per_agent: 100_000}\n", "environments: [Swimmer]\n",
    "methods:\n  - {algorithm: afedpg, n_agents: [1]}\n", "thresholds: {Swimmer: 1 return}\n", "- ", ": ", "? ", "&a ",
    "*a", "<<: *a", "!!int ", "!!binary ", "!!python/name:os.system", "%YAML 1.1\n---\n", "---\n", "...\n", "|\n ",
    ">-\n ", "'", '"', "\\", "\\ud800", "\\U00110000", "[", "]", "{", "}", ", ", "\n", "\n  ", "\t", "#", "0x", "0o7",
    "1_0", "010", "1:30", ".inf", "~", "\x00", "\ufeff", "\r", "2001-01-01", "9" * 50,
]  # fmt: skip


@st.composite
def hardly_yaml(draw: st.DrawFn) -> bytes:
    """Snippets in any order, or a committed file with pieces cut out, put in and moved."""
    if draw(st.booleans()):
        text = "".join(draw(st.lists(st.one_of(st.sampled_from(SNIPPETS), st.text(max_size=5)), max_size=20)))
        return text.encode("utf-8", "surrogatepass")
    data = (ROOT / "tests" / "workflow" / "tiny.yaml").read_bytes()
    for _ in range(draw(st.integers(1, 6))):
        start, length = draw(st.integers(0, len(data))), draw(st.integers(0, 40))
        snippet = draw(st.one_of(st.sampled_from(SNIPPETS).map(str.encode), st.binary(max_size=3), st.just(b"")))
        data = data[:start] + snippet + data[start + length :]
    return data


@pytest.fixture
def quick_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """No speed is measured."""
    monkeypatch.setattr(plan, "calibrate", lambda spec, processes: plan.Speed(0.001, 0.5, "made up"))


def called(*arguments: str) -> tuple[int, str]:
    """Exit code and messages of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(arguments)
    out.getvalue().encode()  # it can be written
    return code, err.getvalue()


def accepted_and_runnable_or_refused(path: Path) -> None:
    results = str(path.parent / "results")
    code, said = called("runs", str(path), "--results", results)
    assert code in (0, 2)
    assert len(said) < 10_000
    if code == 2:
        assert said.startswith("frl: error: "), said
        assert str(path.parent) in said.splitlines()[0]
        return
    assert called("plan", str(path), "--results", results)[0] == 0, said
    scenario = load_scenario(path)
    assert Scenario.model_validate_json(scenario.model_dump_json()) == scenario
    figure_names(scenario)
    for spec in scenario.runs():
        assert RunSpec.model_validate_json(spec.to_json()).to_json() == spec.to_json()
        assert math.isfinite(waiting.waiting_gain(spec))
        assert all(number > 0 for number in plan.request(spec, Path(results)))


def mistakes(document: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path, claims = Path(folder) / "scenario.yaml", document.get("claims")
        if isinstance(claims, dict):
            (path.parent / "claims.yaml").write_text(yaml.safe_dump(claims, allow_unicode=True), encoding="utf-8")
            document = {**document, "claims": "claims.yaml"}
        path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
        accepted_and_runnable_or_refused(path)


def bytes_of_any_kind(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "scenario.yaml"
        path.write_bytes(data)
        accepted_and_runnable_or_refused(path)


@pytest.mark.suite("long")
@pytest.mark.short
def test_some_scenarios_with_mistakes(quick_plan: None) -> None:
    FIXED(given(mistaken())(mistakes))()


@pytest.mark.suite("long")
@pytest.mark.short
def test_some_bytes(quick_plan: None) -> None:
    FIXED(given(hardly_yaml())(bytes_of_any_kind))()


@pytest.mark.suite("long")
def test_many_scenarios_with_mistakes(quick_plan: None) -> None:
    WIDE(given(mistaken())(mistakes))()


@pytest.mark.suite("long")
def test_many_bytes(quick_plan: None) -> None:
    WIDE(given(hardly_yaml())(bytes_of_any_kind))()

"""The manual's tables of settings, made of the models' fields and their docstrings (config/README.md)."""

from __future__ import annotations

import json
import re
from typing import Any

from frl.spec import RunSpec
from frl.training.servers.base import Settings

SECTIONS = ("policy", "estimator", "critic", "normalizer", "sampling", "heterogeneity", "link", "evaluation")
"""Parts of a run that are one model each; the manual has a heading for each."""


def renewed(text: str) -> str:
    """The manual with each section's table, the first one below its heading, written anew."""
    for name in SECTIONS:
        before, heading, after = text.partition(f"\n### {name}\n")
        after = re.sub(r"^\|.*?(?=^(?!\|))", lambda _: _table(name), after, count=1, flags=re.MULTILINE | re.DOTALL)
        text = before + heading + after
    return text


def _table(section: str) -> str:
    model = RunSpec.model_fields[section].annotation
    assert isinstance(model, type) and issubclass(model, Settings)
    fields = model.model_json_schema()["properties"]
    rows = (f"| `{key}` | {_default(field)} | {_meaning(field)} |" for key, field in fields.items())
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows, ""])


def _default(field: dict[str, Any]) -> str:
    value = field["default"]
    return "empty" if value is None else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _meaning(field: dict[str, Any]) -> str:
    """The docstring on one line, and the range of values where it has two ends."""
    text = " ".join(field["description"].split()).removesuffix(".")
    text = text if text[:2].isupper() else text[0].lower() + text[1:]
    span = f" (from {field['minimum']:g} to {field['maximum']:g})" if {"minimum", "maximum"} <= field.keys() else ""
    return re.sub(r"([|<])", r"\\\1", text + span.replace("-", "−"))

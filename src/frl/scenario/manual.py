"""The manual's tables of settings, made of the models' fields and their docstrings (config/README.md)."""

from __future__ import annotations

import json
import re
from typing import Any

from frl.spec import RunSpec

SECTIONS = ("policy", "estimator", "critic", "normalizer", "sampling", "heterogeneity", "link", "evaluation")
"""Parts of a run that are one model each; the manual has a heading for each."""
NARROW = 1000
"""A range that ends below this is worth saying."""


def renewed(text: str) -> str:
    """The manual with each section's table, the first one below its heading, written anew."""
    for name in SECTIONS:
        before, heading, after = text.partition(f"\n### {name}\n")
        start = after.index("\n|") + 1
        end = re.compile(r"^(?!\|)", re.MULTILINE).search(after, start)
        text = before + heading + after[:start] + _table(name) + (after[end.start() :] if end else "")
    return text


def _table(section: str) -> str:
    model: Any = RunSpec.model_fields[section].annotation
    fields = model.model_json_schema()["properties"]
    rows = (f"| `{key}` | {_default(field)} | {_meaning(field)} |" for key, field in fields.items())
    return "\n".join(["| key | default | meaning |", "|---|---|---|", *rows, ""])


def _default(field: dict[str, Any]) -> str:
    value = field["default"]
    return "empty" if value is None else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _meaning(field: dict[str, Any]) -> str:
    """The docstring on one line, its choices as code, and the range of values if it is a narrow one."""
    text = " ".join(field["description"].split()).removesuffix(".")
    for choice in field.get("enum", ()):
        text = re.sub(rf"(?<![\w`])({choice})(?=[:;)]|$)", r"`\1`", text)
    if field.get("maximum", NARROW) < NARROW:
        text += f"; from {field['minimum']:g} to {field['maximum']:g}".replace("-", "−")
    return re.sub(r"([|<])", r"\\\1", text)

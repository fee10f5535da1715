"""Errors that users can mend: one message that names the key, its value and what is allowed."""

from __future__ import annotations

import reprlib
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails


class SpecError(ValueError):
    """A scenario or run specification that cannot be used; the message names key, value and what is allowed."""


MAX_LINES = 20
"""Of one message; more mistakes are only counted."""

_SHORT = reprlib.Repr()
_SHORT.maxlevel, _SHORT.maxdict, _SHORT.maxlist, _SHORT.maxtuple = 4, 8, 12, 12
_SHORT.maxstring = _SHORT.maxlong = _SHORT.maxother = 100


def shown(value: Any) -> str:
    """A value in a message: what `repr` says, cut if that is long."""
    text = _SHORT.repr(value)
    return text if len(text) <= 300 else f"{text[:297]}..."


def explain(error: ValidationError, model: type[BaseModel], prefix: str = "") -> str:
    """One line for each thing wrong: key = value, and what is allowed; `prefix` goes before every key."""
    lines = []
    broken = {item["loc"][:i] for item in error.errors() for i in range(len(item["loc"]))}
    for item in error.errors():
        if item["type"] == "too_short" and item["loc"] in broken:
            continue  # empty only because its entries were refused
        place = _place(model, item["loc"])
        key, value = prefix + ".".join(place) if place else prefix.rstrip(".: "), item["input"]
        if item["type"] in ("union_tag_invalid", "union_tag_not_found"):  # kind of a fleet, test of a claim
            tag = item["ctx"]["discriminator"].strip("'")
            key, value = f"{key}.{tag}", value.get(tag) if isinstance(value, dict) else None
        absent = item["type"] in ("missing", "union_tag_not_found")
        nameless = item["type"] == "value_error" and not item["loc"]
        value_shown = "" if absent or nameless else f" = {shown(value)}"
        message = _message(item, model)
        lines.append(f"{key}{value_shown}: {message}" if key else message)
    if len(lines) > MAX_LINES:
        lines[MAX_LINES:] = [f"... and {len(lines) - MAX_LINES} more"]
    return "\n".join(lines)


def _message(item: ErrorDetails, model: type[BaseModel]) -> str:
    """What is wrong with one key, or what is allowed there."""
    kind, loc = item["type"], item["loc"]
    if kind == "extra_forbidden":
        return f"unknown key; allowed here: {', '.join(_allowed_keys(model, loc))}"
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        allowed = item["ctx"].get("expected_tags", "").replace("'", "")
        return f"allowed are {allowed}" if allowed else "required, but not given"
    if kind in ("int_type", "int_parsing") and isinstance(item["input"], str | float) and loc[-1] != "[key]":
        what = "text" if isinstance(item["input"], str) else "a number with a fraction or exponent"
        return f"should be an integer; this is {what}, write it as in 1_000_000"
    if kind == "too_short":
        return f"needs at least {item['ctx']['min_length']} entry"
    if kind == "too_long":
        return f"has {item['ctx']['actual_length']} entries; at most {item['ctx']['max_length']} allowed"
    if kind == "string_pattern_mismatch" and loc[-1] == "name":
        return "should be lower-case letters, digits, - and _, a letter or digit first"
    plain = {
        "int_type": "should be an integer",
        "missing": "required, but not given",
        "bool_type": "should be true or false",
        "float_type": "should be a number, as in 0.5",
        "dict_type": "should be keys with values, as in {key: value}",
        "string_type": "should be text (a number needs quotes to be text)",
        "tuple_type": "should be a list, as in [1, 2]",
        "model_type": "should be keys with values, as in {key: value}",
        "model_attributes_type": "should be keys with values, as in {key: value}",
    }
    return plain.get(kind, item["msg"].removeprefix("Value error, "))


def _place(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """The key as it stands in the file: without pydantic's marks of a union's member and of a mapping's key."""
    places: list[str] = []
    nested: list[type[BaseModel]] = []
    for part in loc:
        if tagged := [m for m in nested if _tag(m) == part]:
            model, nested = tagged[0], []
        elif part not in ("[key]", "[list]", "[map]") and not str(part).startswith(("dict[", "literal[")):
            places.append(part if isinstance(part, str) and part.isprintable() and len(part) <= 60 else shown(part))
            if (field := model.model_fields.get(str(part))) is not None:
                nested = _models_in(field.annotation)
                model = nested[0] if nested else model
    return places


def _allowed_keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> list[str]:
    """Field names of the (nested) model in which the key at the end of `loc` was given."""
    for part in loc[:-1]:
        field = model.model_fields.get(str(part))
        if field is None:
            continue
        nested = [m for m in _models_in(field.annotation) if _tag(m) is None or _tag(m) in loc]
        model = nested[0] if nested else model
    return sorted(model.model_fields.keys() - getattr(model, "SET_BY_THE_GRID", frozenset()))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _tag(model: type[BaseModel]) -> str | None:
    """What tells the model from the others of its union: the one value of its `kind` or `test`."""
    field = model.model_fields.get("kind") or model.model_fields.get("test")
    return str(get_args(field.annotation)[0]) if field else None

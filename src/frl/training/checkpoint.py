"""The whole state of a run between two arrivals, as bytes that hold nothing executable: JSON and plain arrays.

What an object keeps is found in its attributes, so a new server is saved and resumed without a line about it, as long
as its attributes are numbers, text, arrays, PCG64 streams, messages, and lists, tuples and dictionaries
of these.
"""

from __future__ import annotations

import dataclasses
import io
import json
from typing import Any

import numpy as np

from frl.training.evaluation import Point
from frl.training.normalizer import Normalizer
from frl.training.server_side import ServerSide
from frl.training.servers.base import CodedTask, Task, Update
from frl.training.work import Work

FORMAT = 2
Facts = dict[str, Any]
State = dict[str, Any]

_MESSAGES = {each.__name__: each for each in (Task, CodedTask, Update, Work)}
_OBJECTS: dict[str, type] = {each.__name__: each for each in (Normalizer,)}


class CheckpointError(ValueError):
    """A checkpoint that cannot be used; the message says why."""


def save(training: ServerSide, facts: Facts) -> bytes:
    """The state of a run between two calls of :meth:`ServerSide.advance`, and `facts` about it."""
    return pack(_state(training), facts)


def pack(value: Any, facts: Facts | None = None) -> bytes:
    """A tree of plain values, arrays and messages as bytes; `facts` are JSON."""
    arrays: dict[str, np.ndarray[Any, Any]] = {}
    tree = {"format": FORMAT, "facts": facts or {}, "state": _encode(value, arrays)}
    arrays["tree"] = np.frombuffer(json.dumps(tree).encode(), np.uint8)
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def unpack(content: bytes) -> Any:
    """The tree given to :func:`pack`.

    Raises:
        CheckpointError: if the content is damaged or of another format.
    """
    return read(content)[1]


def read(content: bytes) -> tuple[Facts, Any]:
    """The facts given to :func:`save`, and the state for :func:`restore`.

    Raises:
        CheckpointError: if the content is damaged or of another format.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:  # each member's CRC is checked
            arrays = {name: file[name] for name in file.files}
        tree = json.loads(arrays["tree"].tobytes())
        if tree["format"] != FORMAT:
            raise CheckpointError(f"it has format {tree['format']}, not {FORMAT}")
        return tree["facts"], _decode(tree["state"], arrays)
    except CheckpointError:
        raise
    except Exception as error:  # whatever bytes may be in a damaged file, it is no reason to stop
        raise CheckpointError(f"it is damaged ({type(error).__name__}: {error})") from None


def restore(training: ServerSide, state: State) -> None:
    """Put a new, not begun run of the same spec where :func:`save` found one; simulated, it goes on byte for byte."""
    training.status, training.finished = state["status"], state["finished"]
    training._next_point = state["next_point"]
    training.local_sums = state["local_sums"]
    vars(training.server).update(state["server"])
    vars(training.server.shared).update(state["shared"])
    if training.downlink is not None:
        vars(training.downlink).update(state["downlink"])
    if training.adversary is not None:
        vars(training.adversary).update(state["adversary"])
    training.forged = state["forged"]
    vars(training.recorder).update(state["recorder"])
    training.evaluator.env_steps = state["evaluator"]
    training._unevaluated = []
    for place, point in state["unevaluated"]:
        training._unevaluated.append((training.recorder.rows[place], Point(**point)))
    training.resume(state)


# --------------------------------------------------------------------------------------------------
# What is saved


def _state(training: ServerSide) -> dict[str, Any]:
    places = {id(row): place for place, row in enumerate(training.recorder.rows)}
    return {
        "status": training.status,
        "finished": training.finished,
        "next_point": training._next_point,
        "local_sums": training.local_sums,
        "unevaluated": [(places[id(row)], _fields(point)) for row, point in training.unevaluated()],
        "server": _own(training.server, "settings", "shared", "n_agents"),
        "shared": vars(training.server.shared),
        "recorder": _own(training.recorder, "identity"),
        "downlink": None if training.downlink is None else _own(training.downlink, "method", "draws"),
        "adversary": None if training.adversary is None else vars(training.adversary),
        "forged": training.forged,
        "evaluator": training.evaluator.env_steps,
        **training.saved(),
    }


def _fields(value: Any) -> dict[str, Any]:
    return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}


def _own(owner: object, *given: str) -> dict[str, Any]:
    """All attributes but those that the specification gives, or that are saved elsewhere in the tree."""
    return {name: value for name, value in vars(owner).items() if name not in given}


# --------------------------------------------------------------------------------------------------
# Trees of plain values


def _encode(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    """`value` as JSON; arrays go to `arrays` and are named in their place."""
    if isinstance(value, np.ndarray | np.generic):  # first: numpy's float64 is a float as well
        name = f"a{len(arrays)}"
        arrays[name] = np.asarray(value)
        return {"array" if isinstance(value, np.ndarray) else "scalar": name}
    if value is None or type(value) in (str, bool, int, float):
        return value
    if isinstance(value, np.random.Generator) and isinstance(value.bit_generator, np.random.PCG64):
        return {"stream": value.bit_generator.state}
    if type(value) in (list, tuple):
        return {type(value).__name__: [_encode(item, arrays) for item in value]}
    if type(value) is dict:
        return {"dict": [[_encode(key, arrays), _encode(item, arrays)] for key, item in value.items()]}
    if type(value).__name__ in _MESSAGES:
        return {"message": type(value).__name__, "fields": _encode(_fields(value), arrays)}
    if type(value).__name__ in _OBJECTS:
        return {"object": type(value).__name__, "attributes": _encode(vars(value), arrays)}
    raise TypeError(f"a checkpoint cannot hold {type(value).__name__}: {value!r}")


def _decode(value: Any, arrays: dict[str, np.ndarray[Any, Any]]) -> Any:
    if not isinstance(value, dict):
        return value
    match value:
        case {"array": name}:
            return arrays[name]
        case {"scalar": name}:
            return arrays[name][()]
        case {"stream": state}:
            stream = np.random.Generator(np.random.PCG64())
            stream.bit_generator.state = state
            return stream
        case {"list": items}:
            return [_decode(item, arrays) for item in items]
        case {"tuple": items}:
            return tuple(_decode(item, arrays) for item in items)
        case {"dict": items}:
            return {_decode(key, arrays): _decode(item, arrays) for key, item in items}
        case {"message": name, "fields": fields}:
            return _MESSAGES[name](**_decode(fields, arrays))
        case {"object": name, "attributes": attributes}:
            empty: Any = object.__new__(_OBJECTS[name])
            vars(empty).update(_decode(attributes, arrays))
            return empty
    raise CheckpointError(f"it is damaged (unknown entry {next(iter(value), None)!r})")

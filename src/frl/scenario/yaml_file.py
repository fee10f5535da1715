"""YAML as scenario files are written in it: plain values as in version 1.2, 1_000 for 1000, merge keys, and no more.

What versions 1.1 and 1.2 read as different numbers (010, 0x10, 1:30) is refused. Dates, yes, no, on and off are text.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any

import yaml
from yaml.constructor import ConstructorError

MAX_VALUES = 100_000
"""A file has no more values than that, each counted as often as aliases repeat it."""
MAX_DIGITS = 40

_TAG = "tag:yaml.org,2002:"
_ODD = "!odd"
_PLAIN = {
    f"{_TAG}null": r"~|null|Null|NULL|",
    f"{_TAG}bool": r"true|True|TRUE|false|False|FALSE",
    f"{_TAG}merge": r"<<",
    f"{_TAG}int": r"[-+]?(0|[1-9][0-9_]*)",
    _ODD: r"[-+]?(0[0-9_]+|0[box][0-9a-fA-F_]*|[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?)",
    f"{_TAG}float": r"[-+]?((\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?|\.(inf|Inf|INF))|\.(nan|NaN|NAN)",
}
"""What a plain value is: the first whose pattern fits all of it, else text."""


class YAMLFileError(ValueError):
    """Text that is not such YAML; the message begins with the line, if it has one."""


def read_yaml(text: str) -> Any:
    """The one document of a text.

    Raises:
        YAMLFileError: if it has not exactly one, or anything in it is refused.
    """
    try:
        return yaml.load(text, Loader=_Loader)
    except ConstructorError as error:
        said = (error.problem or "").replace("could not determine a constructor for the tag", "not allowed: the tag")
        raise YAMLFileError(_at(error, said.replace(_TAG, "!!"))) from None
    except yaml.MarkedYAMLError as error:
        said = ": ".join(" ".join(part.split()) for part in (error.context, error.problem) if part)
        raise YAMLFileError(_at(error, f"not valid YAML: {said}")) from None
    except RecursionError:
        raise YAMLFileError("not valid YAML: nested too deeply") from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:  # the last two: \U00110000, %YAML with 5,000 digits
        raise YAMLFileError(f"not valid YAML: {' '.join(str(error).split())[:200]}") from None


def _at(error: yaml.MarkedYAMLError, said: str) -> str:
    mark = error.problem_mark or error.context_mark
    return f"{f'line {mark.line + 1}: ' if mark else ''}{said[:300]}"


class _Loader(yaml.SafeLoader):
    """Knows `_PLAIN` and the constructors below, and none of YAML 1.1's."""

    yaml_implicit_resolvers = {}
    yaml_constructors = {tag: yaml.SafeLoader.yaml_constructors[tag] for tag in (f"{_TAG}seq", f"{_TAG}map", None)}

    def get_single_data(self) -> Any:
        node = self.get_single_node()
        if node is None:
            return None
        self._measure(node, {})
        return self.construct_document(node)

    def _measure(self, node: yaml.Node, sizes: dict[yaml.Node, int]) -> int:
        """Number of values in a node; 0 stands in `sizes` for one that is being counted."""
        if node not in sizes:
            sizes[node] = 0
            children: list[yaml.Node] = []
            if isinstance(node, yaml.MappingNode):
                self._refuse_twice(node)
                children = [value for _, value in node.value]
            elif isinstance(node, yaml.SequenceNode):
                children = node.value
            sizes[node] = 1 + sum(self._measure(child, sizes) for child in children)
            if sizes[node] > MAX_VALUES:
                raise _refused(f"more than {MAX_VALUES:,} values, counting what aliases repeat", node)
        elif sizes[node] == 0:
            raise _refused("contains itself, by an alias", node)
        return sizes[node]

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        """A key given twice is an error (PyYAML keeps the last); merged ones may be given again."""
        keys: set[Any] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refused("a key is a plain value, not a list or mapping", key)
            name = key.value if key.tag == f"{_TAG}merge" else self.construct_object(key)
            if name in keys:
                raise _refused(f"key {name!r} is given twice", key)
            keys.add(name)


def _scalar(loader: _Loader, node: yaml.ScalarNode) -> str | int | float | bool | None:
    """The value of a plain or quoted scalar, or of one whose tag is written out."""
    kind, text = node.tag.removeprefix(_TAG), str(loader.construct_scalar(node))
    if not re.fullmatch(_PLAIN.get(node.tag, "(?s:.*)"), text):
        raise _refused(f"this is no {kind}", node)
    if kind == "str":
        if odd := [c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c not in "\t\n"]:
            raise _refused(f"text must not contain the character {odd[0]!r}", node)
        return text
    if kind == _ODD or (kind in ("int", "float") and re.search(r"(?<![0-9])_|_(?![0-9])", text)):
        raise _refused(f"{text}: not a decimal number; if it is text, put it in quotes", node)
    if len(text) > MAX_DIGITS:
        raise _refused(f"a number of {len(text):,} characters; at most {MAX_DIGITS} are allowed", node)
    if kind == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return int(text) if kind == "int" else text.lower() == "true" if kind == "bool" else None


def _refused(said: str, node: yaml.Node) -> ConstructorError:
    return ConstructorError(None, None, said, node.start_mark)


for _tag, _pattern in _PLAIN.items():
    _Loader.add_implicit_resolver(_tag, re.compile(f"(?:{_pattern})\\Z"), None)
for _kind in ("str", "int", "float", "bool", "null"):
    _Loader.add_constructor(f"{_TAG}{_kind}", _scalar)
_Loader.add_constructor(_ODD, _scalar)

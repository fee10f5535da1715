"""What YAML means here: version 1.2's values, merge keys, a line for each mistake, nothing that grows without end."""

from __future__ import annotations

import math

import pytest
import yaml

from frl.scenario.yaml_file import YAMLFileError, read_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1_000_000", 1_000_000),
        ("-3", -3),
        ("1e-3", 0.001),
        ("3.0e-3", 0.003),
        (".5", 0.5),
        ("-.inf", -math.inf),
        ("true", True),
        ("", None),
        ("~", None),
        ("off", "off"),
        ("no", "no"),
        ("2024-01-01", "2024-01-01"),
        ("'010'", "010"),
        ("=", "="),
        ("a:b", "a:b"),
    ],
)
def test_plain_values_are_those_of_version_1_2(text, value):
    found = read_yaml(f"key: {text}")["key"]
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    "number", ["010", "0100000", "1:30", "1:30:59.5", "0x10", "0o7", "0b_", "-01", "1__0", "1_", "1._5"]
)
def test_numbers_that_versions_read_differently_are_refused(number):
    with pytest.raises(YAMLFileError, match=f"^line 2: {number}: not a decimal number"):
        read_yaml(f"a: 1\nseeds: [{number}]")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\n", "^line 5: key 'c' is given twice$"),
        ("a: 1\n? [b]\n: 2\n", "^line 2: a key is a plain value"),
        ("{1: x, true: y}", "^line 1: key True is given twice"),
        (f"a: {'9' * 5000}", "^line 1: a number of 5,000 characters"),
        ("a: &a [*a]", "contains itself"),
        ("a: &a {<<: *a}", "contains itself"),
        ("[" * 3000, "nested too deeply"),
        ("a: !!int abc", "^line 1: this is no int"),
        ("a: !!timestamp 2001-01-01", "^line 1: not allowed: the tag '!!timestamp'"),
        ("a: !!set {x}", "the tag '!!set'"),
        ('a: "\\ud800"', "must not contain the character"),
        ('a: "\\0"', "must not contain the character"),
        ('a: "\\U00110000"', "not valid YAML"),
        ('a: "\\UFFFFFFFF"', "not valid YAML"),
        (f"%YAML {'9' * 5000}.1\n---\na", "not valid YAML"),
        ("a: \x00", "not valid YAML"),
        ("a: 1\nb: [", "^line 2: not valid YAML"),
        ("--- a\n--- b", "expected a single document"),
        ("<<: 3", "for merging"),
    ],
)
def test_what_is_refused_gets_one_short_line(text, told):
    with pytest.raises(YAMLFileError, match=told) as error:
        read_yaml(text)
    assert len(str(error.value)) < 400
    assert "\n" not in str(error.value)


def test_merge_keys_give_what_is_not_given_again():
    text = "a: &a {x: 1, y: 2}\nb: &b {<<: *a, y: 3}\nc: {<<: [*b, {z: 4}], x: 5}\n"
    assert read_yaml(text)["b"] == {"x": 1, "y": 3}
    assert read_yaml(text)["c"] == {"x": 5, "y": 3, "z": 4}


def test_aliases_do_not_multiply_without_end():
    """Ten lines, 10^10 values."""
    lines = ["l0: &l0 [1]"] + [f"l{i}: &l{i} [{', '.join([f'*l{i - 1}'] * 10)}]" for i in range(1, 11)]
    with pytest.raises(YAMLFileError, match=r"^line 6: more than 100,000 values"):
        read_yaml("\n".join(lines))


def test_what_pyyaml_writes_is_read_back():
    data = {"a": [1, 2.5, True, None, "010", "off", "1:30", "é", "x: y"], "b": {"c": 1e-7, "d": "two\nlines"}}
    assert read_yaml(yaml.safe_dump(data)) == data

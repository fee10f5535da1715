"""The JSON schema of scenario files, for editors and for the manual; committed as config/schema.json."""

from __future__ import annotations

import json
from typing import Any

from frl.scenario.claims import Claims
from frl.scenario.scenario import Scenario
from frl.scenario.theory import TheoryScenario
from frl.scenario.theory_claims import TheoryClaims
from frl.spec import SERVERS, RunSpec

GRID_KEYS = ("environment", "algorithm", "method", "n_agents", "seed")  # of a RunSpec; a scenario's lists set them


def schema() -> dict[str, Any]:
    """The schema of both kinds of scenarios, which `kind` tells apart."""
    training, theory = _training(), _theory()
    definitions = {**training.pop("$defs"), **theory.pop("$defs"), "Scenario": training, "TheoryScenario": theory}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "if": {"required": ["kind"]},
        "then": {"$ref": "#/$defs/TheoryScenario"},
        "else": {"$ref": "#/$defs/Scenario"},
        "$defs": definitions,
    }


def _theory() -> dict[str, Any]:
    """TheoryScenario's schema."""
    scenario = TheoryScenario.model_json_schema()
    _name_file_of_claims(scenario, TheoryClaims.model_json_schema())
    return scenario


def _name_file_of_claims(scenario: dict[str, Any], claims: dict[str, Any]) -> None:
    """Of the claims a scenario only has their file's path."""
    for name in (claims["title"], *claims["$defs"]):
        del scenario["$defs"][name]
    key = scenario["properties"]["claims"]
    scenario["properties"]["claims"] = {"description": key["description"], "type": "string"}


def _training() -> dict[str, Any]:
    """Scenario's schema with the free-form parts spelled out: `run` and `set` are parts of a RunSpec, `server` of
    an algorithm's settings."""
    scenario, run = Scenario.model_json_schema(), RunSpec.model_json_schema()
    definitions = {**scenario["$defs"], **run.pop("$defs")}
    for name, server in SERVERS.items():
        settings = server.Settings.model_json_schema()
        definitions |= settings.pop("$defs", {})
        definitions[f"server_{name}"] = settings
    any_server = {"anyOf": [{"$ref": f"#/$defs/server_{name}"} for name in SERVERS]}
    for key in GRID_KEYS:
        del run["properties"][key]
    run.pop("required")
    run["properties"]["server"] |= any_server
    run["properties"]["server"].pop("$ref", None)
    run["title"], run["description"] = "Run", "Any part of a run's settings; what is not given has its default."
    definitions["Run"] = run
    definitions.pop("ServerSettings", None)
    definitions["Method"]["properties"]["server"] |= any_server
    scenario["$defs"] = definitions
    _name_file_of_claims(scenario, Claims.model_json_schema())
    for owner in ("Method", "Override"):
        definitions[owner]["properties"]["set"] |= {"$ref": "#/$defs/Run"}
    scenario["properties"]["run"] |= {"$ref": "#/$defs/Run"}
    return scenario


def schema_text() -> str:
    """The schema as committed: sorted keys, two spaces, one final line end."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

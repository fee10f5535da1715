"""The JSON schema of scenario files, for editors and for the manual; committed as config/schema.json."""

from __future__ import annotations

import json
from typing import Any

from frl.scenario.claims import Claims
from frl.scenario.scenario import Scenario
from frl.spec import SERVERS, RunSpec

GRID_KEYS = ("environment", "algorithm", "method", "n_agents", "seed")  # of a RunSpec; a scenario's lists set them


def schema() -> dict[str, Any]:
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
    for name in ("Claims", *Claims.model_json_schema()["$defs"]):
        del definitions[name]  # a scenario names their file
    claims = scenario["properties"]["claims"]
    scenario["properties"]["claims"] = {"description": claims["description"], "type": "string"}
    for owner in ("Method", "Override"):
        definitions[owner]["properties"]["set"] |= {"$ref": "#/$defs/Run"}
    scenario["properties"]["run"] |= {"$ref": "#/$defs/Run"}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **scenario, "$defs": definitions}


def schema_text() -> str:
    """The schema as committed: sorted keys, two spaces, one final line end."""
    return json.dumps(schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"

"""Puts the published runs into the wheel, where `frl.published` finds them outside the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class PublishedRuns(BuildHookInterface):
    """`frl publish` wrote them compressed; an editable install reads them where they are."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version == "standard":
            for path in sorted(Path(self.root, "results/published").glob("*/runs.*")):
                build_data["force_include"][str(path)] = f"frl/data/published/{path.parent.name}/{path.name}"

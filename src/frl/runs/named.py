"""A finished run or cell as one names it on the command line: by its CSV."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from frl.runs.paths import meta_path, results_of
from frl.runs.store import Meta, Store, StoreError, policy_digest, verify, with_fact
from frl.scenario.kinds import AnyRun, spec_of


class NamedRunError(ValueError):
    """There is no whole run at a CSV's path; the message says why."""


@dataclass(frozen=True)
class NamedRun:
    """A run at its path, whole.

    Attributes:
        path: its CSV.
        table: the CSV's bytes.
        facts: its meta file's bytes; `meta`: what they say.
        store: that of the results folder in which the CSV lies; None if it lies elsewhere.
    """

    path: Path
    table: bytes
    facts: bytes
    meta: Meta
    store: Store | None

    @property
    def spec(self) -> AnyRun | None:
        """What was run; None if it has settings that this version does not have."""
        try:
            return spec_of(self.meta["spec"])
        except ValidationError:
            return None

    @property
    def policy_path(self) -> Path | None:
        """Where its last policy is or would be kept; None outside of a results folder."""
        return None if self.store is None else self.store.policy_path(self.meta["digest"])

    def policy(self) -> bytes | None:
        """Its last policy, from the store; None if it is not kept."""
        return None if self.store is None else self.store.policy(self.meta["digest"], self.table)

    def keep(self, policy: bytes) -> None:
        """Keep its last policy, and it, in the store.

        Raises:
            OSError: if that cannot be written.
        """
        if self.store is not None:
            entry = with_fact((self.table, self.facts), "policy_digest", policy_digest(policy))
            self.store.put(self.meta["digest"], *entry, policy)


def read(path: Path) -> NamedRun:
    """The run of the CSV at `path`; its meta file lies beside it.

    Raises:
        NamedRunError: if a file is not there or damaged.
    """
    try:
        table, facts = path.read_bytes(), meta_path(path).read_bytes()
        meta = verify(table, facts)
    except FileNotFoundError as error:
        raise NamedRunError(f"{error.filename} is not there; a run is named by its CSV") from None
    except StoreError as error:
        raise NamedRunError(f"{path}: {error}") from None
    results = results_of(path)
    return NamedRun(path, table, facts, meta, None if results is None else Store(results))

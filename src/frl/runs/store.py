"""Finished runs, kept under the digest of what made them: ``<results>/.store/<digest[:2]>/<digest>/``.

Snakemake deletes declared outputs before a rerun; the store is no output, so nothing that was computed gets lost:
a failed rerun, a reverted edit or a second scenario with the same run take the finished run from here.
An entry is the run's CSV and its meta JSON, whose ``checksum`` covers both, and its last policy, whose SHA-256 the meta
JSON states (key ``policy_digest``). An entry without policy is as good: older and diverged runs have none, nor have
published archives. A published run's meta JSON says so (key ``published``: the scenario that it was published with);
such a run is also found by its settings and NUMERICS_VERSION, whatever code made it:
``<results>/.store/published/<key[:2]>/<key>`` names its digest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import shutil
import socket
import sys
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from frl.runs.files import parse_json, remove, write_atomically, write_synced

Meta = dict[str, Any]
NAMES = ("run.csv", "meta.json")
POLICY = "policy.safetensors"
DIGEST = re.compile(r"[0-9a-f]{64}")
_MEMBER = re.compile(r"([0-9a-f]{2})/(\1[0-9a-f]{62})/(run\.csv|meta\.json|policy\.safetensors)")


class StoreError(ValueError):
    """An archive or an entry that cannot be used; the message says which and why."""


def checksum(csv: bytes, meta: Meta) -> str:
    """Hex SHA-256 over the CSV and everything in the meta data but the checksum itself."""
    rest = json.dumps({key: value for key, value in meta.items() if key != "checksum"}, sort_keys=True)
    return hashlib.sha256(csv + b"\0" + rest.encode()).hexdigest()


def settings_key(settings: str, numerics_version: int) -> str:
    """Hex SHA-256 of a run's settings (:meth:`frl.spec.RunSpec.to_json`) and of the version of its numerics."""
    return hashlib.sha256(f"{settings}\nnumerics {numerics_version}".encode()).hexdigest()


def mark_published(entry: tuple[bytes, bytes], scenario: str) -> tuple[bytes, bytes]:
    """The run with a meta file that says with which scenario it was published; one that is published stays as it is."""
    return entry if json.loads(entry[1]).get("published") else with_fact(entry, "published", scenario)


def with_fact(entry: tuple[bytes, bytes], key: str, value: str) -> tuple[bytes, bytes]:
    """The run with a meta file that states this too."""
    meta = json.loads(entry[1])
    if meta.get(key) == value:
        return entry
    meta = {**{name: fact for name, fact in meta.items() if name != "checksum"}, key: value}
    meta["checksum"] = checksum(entry[0], meta)
    return entry[0], dump_meta(meta)


def policy_digest(policy: bytes) -> str:
    """Hex SHA-256 of a policy file, as meta files state it."""
    return hashlib.sha256(policy).hexdigest()


def dump_meta(meta: Meta) -> bytes:
    """The bytes of a meta file: indented JSON, keys in the order given."""
    return (json.dumps(meta, indent=2, ensure_ascii=False) + "\n").encode()


def verify(csv: bytes, meta_bytes: bytes, digest: str | None = None, policy: bytes | None = None) -> Meta:
    """The meta data of a run whose bytes are whole.

    Args:
        csv: content of the run's CSV.
        meta_bytes: content of its meta JSON.
        digest: if given, what the run has to be.
        policy: if given, content of its policy file.

    Raises:
        StoreError: if the meta data is no JSON object, checksum or policy differ, or it is another run.
    """
    try:
        meta = parse_json(meta_bytes)
    except ValueError:
        raise StoreError("its meta data is not valid JSON") from None
    if not isinstance(meta, dict) or meta.get("checksum") != checksum(csv, meta):
        raise StoreError("its content does not match its checksum")
    if digest is not None and meta.get("digest") != digest:
        raise StoreError(f"it holds another run (digest {str(meta.get('digest'))[:12]}, expected {digest[:12]})")
    if policy is not None and meta.get("policy_digest") != policy_digest(policy):
        raise StoreError("its policy is not the one that its meta data states")
    return meta


class Store:
    """The finished runs below one results folder.

    Args:
        results: the results folder, e.g. ``results``; the store is its subfolder ``.store``.
    """

    def __init__(self, results: Path):
        self.root = results / ".store"

    def folder(self, digest: str) -> Path:
        """Where the entry of this digest is or would be.

        Raises:
            StoreError: if it is no digest (and could lead out of the store).
        """
        if not DIGEST.fullmatch(digest):
            raise StoreError(f"{digest!r} is not a digest of 64 hexadecimal digits")
        return self.root / digest[:2] / digest

    def get(self, digest: str) -> tuple[bytes, bytes] | None:
        """CSV and meta bytes of a finished run, or None; a damaged entry counts as none and is reported on stderr."""
        folder = self.folder(digest)
        try:
            csv, meta = ((folder / name).read_bytes() for name in NAMES)
            verify(csv, meta, digest)
        except FileNotFoundError:
            return None
        except (OSError, StoreError) as error:
            print(f"frl: ignoring the stored run {folder}: {error}", file=sys.stderr)
            return None
        return csv, meta

    def published(self, key: str) -> tuple[bytes, bytes] | None:
        """CSV and meta bytes of a published run of these settings (:func:`settings_key`), whatever code made it."""
        try:
            digest = self._pointer(key).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            return None
        entry = self.get(digest) if DIGEST.fullmatch(digest) else None
        return entry if entry and key_of_published(json.loads(entry[1])) == key else None

    def policy_path(self, digest: str) -> Path:
        """Where the policy of this digest's run is or would be."""
        return self.folder(digest) / POLICY

    def policy(self, digest: str, csv: bytes) -> bytes | None:
        """The last policy of the run with this digest and CSV; None if it is not kept.

        A damaged one counts as none and is reported on stderr.
        """
        entry = self.get(digest)
        return self._policy_of(digest, entry[1]) if entry is not None and entry[0] == csv else None

    def _policy_of(self, digest: str, meta: bytes) -> bytes | None:
        path = self.policy_path(digest)
        try:
            content = path.read_bytes()
            if json.loads(meta).get("policy_digest") == policy_digest(content):
                return content
            problem = "its content does not match its digest"
        except FileNotFoundError:
            return None
        except OSError as error:
            problem = str(error)
        print(f"frl: ignoring the stored policy {path}: {problem}", file=sys.stderr)
        return None

    def _pointer(self, key: str) -> Path:
        return self.root / "published" / key[:2] / key

    def put(self, digest: str, csv: bytes, meta: bytes, policy: bytes | None = None) -> None:
        """Keep a finished run; a whole entry that is already there stays, unless this one is published and it is not.

        A policy is added to an entry with the same CSV that has none, and outlives a published run taking the place.

        Raises:
            StoreError: if checksum, digest or policy do not fit.
            OSError: if it cannot be written (disk full); nothing half-written is left under the digest.
        """
        key = key_of_published(verify(csv, meta, digest, policy))
        before = self.get(digest) if self.folder(digest).exists() else None
        kept = self._policy_of(digest, before[1]) if before is not None and before[0] == csv else None
        if before is None or (key and not json.loads(before[1]).get("published")):
            self._replace(digest, csv, meta, kept or policy)
        elif policy is not None and kept is None and before[0] == csv:
            write_atomically(self.policy_path(digest), policy)  # first: what no meta file states is ignored
            meta = with_fact(before, "policy_digest", policy_digest(policy))[1]
            write_atomically(self.folder(digest) / NAMES[1], meta)
        if key and self.published(key) is None:
            write_atomically(self._pointer(key), f"{digest}\n")

    def _replace(self, digest: str, csv: bytes, meta: bytes, policy: bytes | None) -> None:
        folder, content = self.folder(digest), dict(zip(NAMES, (csv, meta), strict=True))
        if policy is not None:
            meta = with_fact((csv, meta), "policy_digest", policy_digest(policy))[1]
            content |= {NAMES[1]: meta, POLICY: policy}
        temporary = self.root / f".tmp-{socket.gethostname()}-{os.getpid()}-{digest[:12]}"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        try:
            for name, part in content.items():
                write_synced(temporary / name, part)
            remove(folder)  # a damaged entry, or one that is not published
            folder.parent.mkdir(parents=True, exist_ok=True)
            temporary.rename(folder)
        except OSError:
            if self.get(digest) is None:  # otherwise another process kept the same run in the meantime
                raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def digests(self) -> Iterator[str]:
        """The digests of all entries, sorted."""
        for folder in sorted(self.root.glob("[0-9a-f][0-9a-f]/*")):
            if DIGEST.fullmatch(folder.name):
                yield folder.name

    def known(self) -> set[str]:
        """Digests of all entries, and the keys by which published ones are found; to look up many at once."""
        return {*self.digests(), *(path.name for path in self.root.glob("published/*/*"))}

    def export(self, archive: Path, digests: Iterable[str] | None = None, policies: bool = True) -> int:
        """Write whole entries into one tar file (compressed if its name ends in gz, xz or bz2).

        Args:
            archive: the file to write.
            digests: which entries, those that are there; None means all.
            policies: whether with the policies that are kept.

        Returns:
            The number of runs written.
        """
        count = 0
        temporary = archive.with_name(f".{socket.gethostname()}-{os.getpid()}.{archive.name}")
        kind = archive.suffix.removeprefix(".").removeprefix("t")
        mode: Any = f"w:{kind}" if kind in ("gz", "xz", "bz2") else "w"
        archive.parent.mkdir(parents=True, exist_ok=True)
        try:
            with tarfile.open(temporary, mode) as tar:
                for digest in self.digests() if digests is None else sorted(set(digests)):
                    if (entry := self.get(digest)) is None:
                        continue
                    policy = self._policy_of(digest, entry[1]) if policies else None
                    for name, content in zip((*NAMES, POLICY), (*entry, policy), strict=True):
                        if content is not None:
                            member = tarfile.TarInfo(f"{digest[:2]}/{digest}/{name}")
                            member.size = len(content)
                            tar.addfile(member, io.BytesIO(content))
                    count += 1
            temporary.replace(archive)
        finally:
            temporary.unlink(missing_ok=True)
        return count

    def import_(self, archive: Path) -> int:
        """Take the runs of an archive into the store; every name and checksum is checked before anything is written.

        Returns:
            The number of runs read.

        Raises:
            StoreError: if the archive cannot be read, holds anything but stored runs, or a damaged one.
        """
        entries = _read_archive(archive)
        for digest, (csv, meta, policy) in entries.items():
            try:
                verify(csv, meta, digest, policy)
            except StoreError as error:
                raise StoreError(f"{archive}: run {digest}: {error}; nothing was imported") from None
        for digest, entry in entries.items():
            self.put(digest, *entry)
        return len(entries)


def key_of_published(meta: Meta) -> str:
    """What a published run is found by; empty for another."""
    if not meta.get("published"):
        return ""
    return settings_key(json.dumps(meta.get("spec"), sort_keys=True), meta.get("numerics_version", 0))


def _read_archive(archive: Path) -> dict[str, tuple[bytes, bytes, bytes | None]]:
    files: dict[str, dict[str, bytes]] = {}
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isdir() and re.fullmatch(r"[0-9a-f]{2}(/[0-9a-f]{64})?", member.name):
                    continue
                match = _MEMBER.fullmatch(member.name)
                content = tar.extractfile(member) if match and member.isreg() else None
                if match is None or content is None:
                    raise StoreError(f"{archive}: {member.name!r} is not a stored run; nothing was imported")
                files.setdefault(match[2], {})[match[3]] = content.read()
    except (OSError, EOFError, tarfile.TarError) as error:
        raise StoreError(f"{archive}: cannot be read as an archive of runs: {error}") from None
    for digest, parts in files.items():
        if missing := set(NAMES) - set(parts):
            raise StoreError(f"{archive}: run {digest} has no {missing.pop()}; nothing was imported")
    return {digest: (parts["run.csv"], parts["meta.json"], parts.get(POLICY)) for digest, parts in files.items()}

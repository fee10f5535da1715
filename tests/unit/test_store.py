"""Finished runs are kept whole or not at all."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from frl.runs.files import write_atomically
from frl.runs.store import Store, StoreError, checksum, dump_meta, verify

DIGEST = "ab" + "0" * 62
OTHER = "cd" + "1" * 62


def entry(digest: str = DIGEST, text: str = "a,b\n1,2\n") -> tuple[bytes, bytes]:
    """A whole run: CSV and meta bytes."""
    meta = {"digest": digest, "status": "ok"}
    meta["checksum"] = checksum(text.encode(), meta)
    return text.encode(), dump_meta(meta)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def test_put_then_get(store):
    assert store.get(DIGEST) is None
    store.put(DIGEST, *entry())
    assert store.get(DIGEST) == entry()
    assert list(store.digests()) == [DIGEST]
    assert store.folder(DIGEST) == store.root / "ab" / DIGEST


def test_first_entry_stays_and_no_temporary_remains(store):
    store.put(DIGEST, *entry())
    store.put(DIGEST, *entry(text="a,b\n3,4\n"))
    assert store.get(DIGEST) == entry()
    assert [path.name for path in store.root.iterdir()] == ["ab"]


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("run.csv", lambda old: old[:-1]),
        ("run.csv", lambda old: b""),
        ("run.csv", lambda old: old.replace(b"1", b"7")),
        ("meta.json", lambda old: old[: len(old) // 2]),
        ("meta.json", lambda old: old.replace(b'"ok"', b'"diverged"')),
        ("meta.json", lambda old: b"[]"),
        ("meta.json", lambda old: b"[" * 100_000),
    ],
    ids=["cut CSV", "empty CSV", "changed CSV", "cut meta", "changed meta", "no object", "deep meta"],
)
def test_damaged_entry_is_reported_ignored_and_replaced(store, capsys, file, damage):
    store.put(DIGEST, *entry())
    path = store.folder(DIGEST) / file
    path.write_bytes(damage(path.read_bytes()))
    assert store.get(DIGEST) is None
    assert "ignoring the stored run" in capsys.readouterr().err
    store.put(DIGEST, *entry())
    assert store.get(DIGEST) == entry()


def test_entry_under_a_wrong_digest_is_refused(store):
    with pytest.raises(StoreError, match="another run"):
        store.put(OTHER, *entry())
    assert not list(store.digests())


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "ab", DIGEST.upper(), DIGEST + "0", ""])
def test_what_is_no_digest_cannot_lead_out_of_the_store(store, name):
    with pytest.raises(StoreError, match="is not a digest"):
        store.folder(name)


def test_full_disk_leaves_nothing_behind(store, monkeypatch):
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        store.put(DIGEST, *entry())
    assert not list(store.root.iterdir())


@pytest.mark.parametrize("name", ["runs.tar", "runs.tar.gz", "runs.tgz", "runs.tar.xz"])
def test_export_and_import(store, tmp_path, name):
    store.put(DIGEST, *entry())
    store.put(OTHER, *entry(OTHER))
    assert store.export(tmp_path / name) == 2
    copy = Store(tmp_path / "copy")
    assert copy.import_(tmp_path / name) == 2
    assert [copy.get(digest) for digest in copy.digests()] == [entry(), entry(OTHER)]


def test_compression_follows_the_name(store, tmp_path):
    store.put(DIGEST, *entry())
    store.export(tmp_path / "runs.tgz")
    assert (tmp_path / "runs.tgz").read_bytes()[:2] == b"\x1f\x8b"


def test_export_leaves_out_damaged_entries(store, tmp_path, capsys):
    store.put(DIGEST, *entry())
    store.put(OTHER, *entry(OTHER))
    (store.folder(OTHER) / "run.csv").write_bytes(b"")
    assert store.export(tmp_path / "runs.tar") == 1
    assert OTHER in capsys.readouterr().err


def archive(path: Path, *members: tuple[str, bytes, bytes]) -> Path:
    """A tar file of (name, content, type) members."""
    with tarfile.open(path, "w") as tar:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            member.linkname = "/etc/passwd" if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            member.size = len(content) if kind == tarfile.REGTYPE else 0
            tar.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (f"../{DIGEST}/run.csv", tarfile.REGTYPE),
        (f"/ab/{DIGEST}/run.csv", tarfile.REGTYPE),
        (f"ab/../ab/{DIGEST}/run.csv", tarfile.REGTYPE),
        (f"ab/{DIGEST}/evil.sh", tarfile.REGTYPE),
        (f"cd/{DIGEST}/run.csv", tarfile.REGTYPE),
        (f"ab/{DIGEST}/run.csv", tarfile.SYMTYPE),
        (f"ab/{DIGEST}/run.csv", tarfile.LNKTYPE),
        (f"ab/{DIGEST}/run.csv", tarfile.FIFOTYPE),
        ("../outside", tarfile.DIRTYPE),
    ],
)
def test_import_refuses_other_names_and_links_and_writes_nothing(store, tmp_path, name, kind):
    csv, meta = entry()
    good = [(f"ab/{DIGEST}/run.csv", csv, tarfile.REGTYPE), (f"ab/{DIGEST}/meta.json", meta, tarfile.REGTYPE)]
    path = archive(tmp_path / "evil.tar", *good, (name, b"x", kind))
    with pytest.raises(StoreError, match="nothing was imported"):
        store.import_(path)
    assert not store.root.exists()


def test_import_refuses_a_damaged_or_halved_run(store, tmp_path):
    csv, meta = entry()
    half = archive(tmp_path / "half.tar", (f"ab/{DIGEST}/run.csv", csv, tarfile.REGTYPE))
    with pytest.raises(StoreError, match=r"has no meta\.json"):
        store.import_(half)
    members = [(f"ab/{DIGEST}/run.csv", csv + b"3,4\n"), (f"ab/{DIGEST}/meta.json", meta)]
    damaged = archive(tmp_path / "damaged.tar", *[(*member, tarfile.REGTYPE) for member in members])
    with pytest.raises(StoreError, match="does not match its checksum; nothing was imported"):
        store.import_(damaged)
    assert not store.root.exists()


def test_import_of_what_is_no_archive(store, tmp_path):
    (tmp_path / "no.tar").write_text("not a tar file", encoding="utf-8")
    for name in ("no.tar", "absent.tar"):
        with pytest.raises(StoreError, match="cannot be read as an archive"):
            store.import_(tmp_path / name)


def test_verify_covers_csv_and_meta():
    csv, meta = entry()
    assert verify(csv, meta, DIGEST)["status"] == "ok"
    changed = json.loads(meta) | {"wall_time_s": 0.0}
    with pytest.raises(StoreError, match="checksum"):
        verify(csv, dump_meta(changed))


def test_atomic_write_keeps_the_old_file_when_the_disk_is_full(tmp_path, monkeypatch):
    path = tmp_path / "deep" / "run.csv"
    write_atomically(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert [file.name for file in path.parent.iterdir()] == ["run.csv"]


def test_written_files_honour_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        write_atomically(tmp_path / "run.csv", b"x")
    finally:
        os.umask(old)
    assert (tmp_path / "run.csv").stat().st_mode & 0o777 == 0o640

"""Finished runs are kept whole or not at all."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path

import pytest

from frl.runs.files import write_atomically
from frl.runs.store import Store, StoreError, checksum, dump_meta, mark_published, policy_digest, verify

DIGEST = "ab" + "0" * 62
OTHER = "cd" + "1" * 62


def entry(digest: str = DIGEST, text: str = "a,b\n1,2\n", policy: bytes | None = None) -> tuple[bytes, bytes]:
    """A whole run: CSV and meta bytes, which state the policy if there is one."""
    meta = {"digest": digest, "status": "ok"} | ({} if policy is None else {"policy_digest": policy_digest(policy)})
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


def fill_disk(monkeypatch: pytest.MonkeyPatch, free: int) -> None:
    """From now on only `free` more files can be written."""
    synced = []

    def fsync(descriptor: int) -> None:
        if len(synced) == free:
            raise OSError(28, "No space left on device")
        synced.append(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


def test_full_disk_leaves_nothing_behind(store, monkeypatch):
    fill_disk(monkeypatch, 0)
    with pytest.raises(OSError, match="No space left"):
        store.put(DIGEST, *entry())
    assert not list(store.root.iterdir())


POLICY = b"theta"
WITH_POLICY = entry(policy=POLICY)


def test_a_policy_is_kept_with_its_run(store):
    store.put(DIGEST, *WITH_POLICY, POLICY)
    assert store.get(DIGEST) == WITH_POLICY
    assert store.policy(DIGEST, WITH_POLICY[0]) == store.policy_path(DIGEST).read_bytes() == POLICY
    assert store.policy(DIGEST, b"another draw of the same seed") is None
    assert store.policy(OTHER, WITH_POLICY[0]) is None


def test_a_run_without_its_policy_is_as_good(store, capsys):
    store.put(DIGEST, *WITH_POLICY)  # from an archive, say
    assert store.get(DIGEST) == WITH_POLICY
    assert store.policy(DIGEST, WITH_POLICY[0]) is None
    assert capsys.readouterr().err == ""


def test_a_damaged_policy_is_reported_ignored_and_replaced(store, capsys):
    store.put(DIGEST, *WITH_POLICY, POLICY)
    store.policy_path(DIGEST).write_bytes(POLICY[:-1])
    assert store.policy(DIGEST, WITH_POLICY[0]) is None
    assert "ignoring the stored policy" in capsys.readouterr().err
    assert store.get(DIGEST) == WITH_POLICY
    store.put(DIGEST, *WITH_POLICY, POLICY)
    assert store.policy(DIGEST, WITH_POLICY[0]) == POLICY


@pytest.mark.parametrize("run", [entry(), WITH_POLICY], ids=["states none", "states another"])
def test_a_policy_that_the_meta_data_do_not_state_is_refused(store, run):
    with pytest.raises(StoreError, match="policy is not the one"):
        store.put(DIGEST, *run, b"another")
    assert not store.root.exists()


def published(run: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    return mark_published(run, "s")


@pytest.mark.parametrize("older", [entry(), published(entry())], ids=["own", "published"])
def test_an_older_run_gets_the_policy_that_is_made_later(store, older):
    store.put(DIGEST, *older)
    store.put(DIGEST, *WITH_POLICY, POLICY)
    assert store.policy(DIGEST, older[0]) == POLICY
    csv, meta = store.get(DIGEST)
    before, after = json.loads(older[1]), json.loads(meta)
    assert csv == older[0]
    assert after == {**before, "policy_digest": policy_digest(POLICY), "checksum": after["checksum"]}


def test_a_policy_is_not_given_to_another_draw_of_its_run(store):
    store.put(DIGEST, *entry(text="a,b\n3,4\n"))
    store.put(DIGEST, *WITH_POLICY, POLICY)
    assert store.get(DIGEST) == entry(text="a,b\n3,4\n")
    assert not store.policy_path(DIGEST).exists()


@pytest.mark.parametrize("older", [entry(), WITH_POLICY], ids=["published before there were policies", "published"])
def test_a_policy_outlives_its_run_being_published(store, older):
    store.put(DIGEST, *WITH_POLICY, POLICY)
    store.put(DIGEST, *published(older))
    assert store.policy(DIGEST, older[0]) == POLICY
    assert json.loads(store.get(DIGEST)[1])["published"] == "s"


@pytest.mark.parametrize("free", range(3))
def test_a_full_disk_leaves_no_part_of_a_run_with_its_policy(store, monkeypatch, free):
    fill_disk(monkeypatch, free)
    with pytest.raises(OSError, match="No space left"):
        store.put(DIGEST, *WITH_POLICY, POLICY)
    assert not list(store.root.iterdir())


@pytest.mark.parametrize("free", range(2))
def test_a_full_disk_leaves_a_run_as_it_was_when_its_policy_comes_later(store, monkeypatch, free):
    store.put(DIGEST, *entry())
    fill_disk(monkeypatch, free)
    with pytest.raises(OSError, match="No space left"):
        store.put(DIGEST, *WITH_POLICY, POLICY)
    assert store.get(DIGEST) == entry()
    assert store.policy(DIGEST, entry()[0]) is None


def test_an_archive_has_policies_or_not(store, tmp_path):
    store.put(DIGEST, *WITH_POLICY, POLICY)
    for policies in (True, False):
        archive = tmp_path / f"{policies}.tar.gz"
        assert store.export(archive, policies=policies) == 1
        copy = Store(tmp_path / f"{policies}")
        assert copy.import_(archive) == 1
        assert copy.get(DIGEST) == WITH_POLICY
        assert copy.policy(DIGEST, WITH_POLICY[0]) == (POLICY if policies else None)


def test_export_leaves_out_a_damaged_policy_but_not_its_run(store, tmp_path):
    store.put(DIGEST, *WITH_POLICY, POLICY)
    store.policy_path(DIGEST).write_bytes(b"")
    assert store.export(tmp_path / "runs.tar") == 1
    assert Store(tmp_path / "copy").import_(tmp_path / "runs.tar") == 1


def test_import_refuses_a_damaged_policy(store, tmp_path):
    members = zip(("run.csv", "meta.json", "policy.safetensors"), (*WITH_POLICY, POLICY[:-1]), strict=True)
    damaged = archive(
        tmp_path / "damaged.tar", *[(f"ab/{DIGEST}/{name}", part, tarfile.REGTYPE) for name, part in members]
    )
    with pytest.raises(StoreError, match="policy is not the one that its meta data states; nothing was imported"):
        store.import_(damaged)
    assert not store.root.exists()


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

"""One at a time: an advisory lock that ends with its process, however that ends."""

from __future__ import annotations

import atexit
import errno
import fcntl
import os
import re
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

RETRY_S = 2.0
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)
"""What a file system answers that keeps no locks; then nothing is guarded, and nothing is refused."""


class Busy(ValueError):
    """Another process holds the lock; the message says which."""


def take(path: Path) -> TextIO | None:
    """Lock `path`, a file that this makes; closing the returned file, or the end of the process, releases it.

    Child processes that are started do not inherit the lock. The file says who holds it, or was killed while it did.

    Returns:
        The file; None if its file system keeps no locks.

    Raises:
        Busy: if another process holds it.
        OSError: if the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _text(path)
            file.close()
            if error.errno in _NO_LOCKS:
                return None
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise
            raise Busy(f"{holder or 'a process'} holds {path}") from None
        if _is(file, path):
            break
        file.close()  # its holder removed it between our opening and locking it: that lock guards nothing
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file


def _is(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""


def hold(path: Path, reason: str) -> None:
    """Lock `path` to the end of this process; what the file says then tells a process that ended from one killed.

    Raises:
        Busy: if another process holds it; with the reason why that matters.
    """
    try:
        file = take(path)
    except Busy as busy:
        raise Busy(f"{busy}: {reason}") from None
    if file is not None:
        atexit.register(file.truncate, 0)  # also keeps it open


@contextmanager
def alone(path: Path, what: str, sleep: Callable[[float], None] = time.sleep) -> Iterator[None]:
    """Be the only process inside, on every machine that shares the folder; wait for another one and say so.

    Args:
        path: the lock's file; removed at the end.
        what: what is waited for, to say it.
        sleep: seconds to the next attempt.
    """
    told = False
    while True:
        try:
            file = take(path)
            break
        except Busy as busy:
            if not told:
                print(f"frl: waiting: {busy}: {what}", file=sys.stderr, flush=True)
            told = True
            sleep(RETRY_S)
    try:
        yield
    finally:
        if file is not None:
            path.unlink(missing_ok=True)
            file.close()


def clear_stale(lock: Path, snakemake: Path, outputs: str) -> None:
    """Remove the locks that a killed Snakemake left on a scenario, so that the next start needs no `--unlock`.

    Snakemake's own lock is a list of files that stays after SIGKILL, and nothing in it says whether its process lives.
    `lock` does (:func:`hold`): only what a process of this machine left that was killed is removed.

    Args:
        lock: what the scenario's Snakemake holds.
        snakemake: the folder ``.snakemake``.
        outputs: beginning of the paths of the scenario's outputs; locks of others stay.
    """
    stale = [path for path in sorted((snakemake / "locks").glob("*.lock")) if f"\n{outputs}" in f"\n{_text(path)}"]
    holder = re.fullmatch(r"process (\d+) on (\S+)", _text(lock))
    if not stale or holder is None:
        return
    if holder[2] != socket.gethostname():
        print(f"note: {holder[0]} left {lock}; if it has ended, remove that and use --unlock", file=sys.stderr)
        return
    try:
        file = take(lock)
    except Busy as busy:
        print(f"note: {busy}: it is at work on the same scenario; wait for its end", file=sys.stderr)
        return
    if file is None:
        return
    with file:
        for path in stale:
            path.unlink(missing_ok=True)
        file.truncate(0)
    print(f"note: removed {len(stale)} locks of a Snakemake that was killed", file=sys.stderr)

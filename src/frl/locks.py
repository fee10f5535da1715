"""One at a time: an advisory lock that ends with its process, however that ends."""

from __future__ import annotations

import errno
import fcntl
import os
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


def take(path: Path) -> TextIO:
    """Lock `path`, a file that this makes; closing the returned file, or the end of the process, releases it.

    Child processes that are started do not inherit the lock.

    Raises:
        Busy: if another process holds it.
        OSError: if the file cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _NO_LOCKS:
            return file
        file.seek(0)
        holder = file.read().strip() or "a process"
        file.close()
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        raise Busy(f"{holder} holds {path}") from None
    file.truncate(0)
    file.write(f"process {os.getpid()} on {socket.gethostname()}")
    file.flush()
    return file


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
        path.unlink(missing_ok=True)  # who waits for it has it open, and finds out what was made meanwhile
        file.close()


def clear_stale(lock: Path, snakemake: Path, outputs: str) -> None:
    """Remove the locks that a killed Snakemake left on a scenario, so that the next start needs no `--unlock`.

    Snakemake's own lock is a list of files that stays after SIGKILL, and nothing in it says whether its process lives.
    `lock` does: it is held from the start to the end of a Snakemake on this scenario.

    Args:
        lock: what :func:`take` locks.
        snakemake: the folder ``.snakemake``.
        outputs: beginning of the paths of the scenario's outputs; locks of others stay.
    """
    stale = [
        path
        for path in sorted((snakemake / "locks").glob("*.lock"))
        if any(line.startswith(outputs) for line in path.read_text(encoding="utf-8").splitlines())
    ]
    if not stale:
        return
    try:
        with take(lock):
            for path in stale:
                path.unlink(missing_ok=True)
    except Busy as busy:
        print(f"note: {busy}: it is at work on the same scenario; wait for its end", file=sys.stderr)
        return
    print(f"note: removed {len(stale)} locks of a Snakemake that was killed", file=sys.stderr)

"""Writing files so that a reader never sees half of one."""

from __future__ import annotations

import json
import os
import shutil
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd


def parse_json(content: bytes) -> Any:
    """What a JSON text says.

    Raises:
        ValueError: if it is none, whatever else it is.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def write_synced(path: Path, content: bytes) -> None:
    """Write a file and wait until it is on disk; its mode honours the umask (mkstemp's would be 0600)."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def write_atomically(path: Path, content: str | bytes) -> None:
    """Write a file such that at every moment its name holds the old content or the new one, never a part.

    Raises:
        OSError: if it cannot be written; the old file stays and the temporary one is removed.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # host and process in the name: two machines may share the folder
    temporary = path.with_name(f".{path.name}.{socket.gethostname()}-{os.getpid()}")
    try:
        write_synced(temporary, content.encode() if isinstance(content, str) else content)
        if path.is_dir():  # where a file of ours belongs there can be no folder of anybody's
            remove(path)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file, a link or a whole folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def write_csv(path: Path, frame: pd.DataFrame) -> None:
    """Write a table: no index, floats in their shortest exact form, lines end in LF."""
    write_atomically(path, str(frame.to_csv(index=False, lineterminator="\n")))

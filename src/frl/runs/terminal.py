"""What is printed, on a terminal of any encoding."""

from __future__ import annotations

import codecs
import io
import sys


def print_on_any_terminal() -> None:
    """Characters that the terminal's encoding lacks are printed as the nearest that it has: "–" as "-"."""
    codecs.register_error("frl", lambda error: _nearest(error))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="frl")


_NEAREST = {"–": "-", "−": "-", "×": "x", "∞": "inf", "≥": ">=", "≤": "<=", "α": "alpha", "η": "eta", "…": "..."}


def _nearest(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_NEAREST.get(c, "?") for c in error.object[error.start : error.end]), error.end

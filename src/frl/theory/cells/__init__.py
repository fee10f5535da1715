"""Cells of the theory lab: a problem that is known exactly, driven by the very servers and clock that train."""

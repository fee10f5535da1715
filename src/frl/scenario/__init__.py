"""Scenario files: many runs, what is claimed of them, and what is built from them."""

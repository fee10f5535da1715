"""Compression of what travels: one short class a method; `wire` is where messages are coded and decoded."""

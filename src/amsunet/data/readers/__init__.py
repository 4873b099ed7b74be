"""Readers of the formats of clinic and laboratory: a module a format, with the functions of ``containers.Reader``."""

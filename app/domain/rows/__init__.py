"""Rows of the tables as typed dictionaries."""

from collections.abc import Iterable, Mapping


def picked(row: Mapping[str, object], names: Iterable[str]) -> dict[str, object]:
    """Some columns of a row; None for what it leaves out."""
    return {name: row.get(name) for name in names}

"""Puts the types of the chaos workload into the catalogue, which imports everything on `chains`' path."""

import tests.chaos.workload.types  # noqa: F401

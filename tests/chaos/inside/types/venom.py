"""Puts the poisonous types into the catalogue."""

import tests.chaos.faults.poison  # noqa: F401

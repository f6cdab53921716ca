"""The workers of one host are of a release that does not have one type, and one of its steps, yet."""

import sys

from chains import catalogue
from tasks.step import REGISTRY

HOST, TYPE, STEP = "h1", "chaos.fused", ".one"  # The host's name is that of `tests.chaos.site`.

if any(f".{HOST}@" in word for word in sys.orig_argv):
    _everything = catalogue.types

    def _older() -> dict[str, catalogue.Workflow]:
        found = {name: kind for name, kind in _everything().items() if name != TYPE}
        for name in [one for one in REGISTRY if one.endswith(STEP)]:
            REGISTRY.pop(name)
        return found

    catalogue.types = _older

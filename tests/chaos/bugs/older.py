"""The workers of one host are of a release that does not have one type yet."""

import sys

from chains import catalogue

HOST, TYPE = "h1", "chaos.fused"  # As `tests.chaos.site` names the host.

if any(f".{HOST}@" in word for word in sys.orig_argv):
    _everything = catalogue.types

    def _older() -> dict[str, catalogue.Workflow]:
        return {name: kind for name, kind in _everything().items() if name != TYPE}

    catalogue.types = _older

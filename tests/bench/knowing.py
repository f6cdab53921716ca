"""Run a module of Windlass as ``python -m`` does, with the benchmark's workflow types known to it."""

import importlib
import runpy
import sys
from collections.abc import Sequence


def knowing(argv: Sequence[str]) -> tuple[str, ...]:
    """The command line ``python -m module …`` as one that knows the benchmark's types."""
    python, safe, flag, *rest = argv
    assert (safe, flag) == ("-P", "-m"), f"no module is run by {argv}"
    return (python, "-m", "tests.bench.knowing", *rest)


if __name__ == "__main__":
    importlib.import_module("tests.bench.types")
    sys.argv[:] = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)

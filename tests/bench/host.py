"""`windlass worker` as it is shipped, but its processes know the benchmark's workflow types."""

import sys
from dataclasses import replace

from app.config import load
from app.host import worker
from tests.bench.knowing import knowing


def main(name: str = "") -> None:
    """Keep the host's processes alive until SIGTERM; ``name`` distinguishes two hosts."""
    settings = load()
    hosted = [replace(child, argv=knowing(child.argv)) for child in worker.children(settings, name=name)]
    worker.run(settings, hosted, name=name)


if __name__ == "__main__":
    main(*sys.argv[1:])

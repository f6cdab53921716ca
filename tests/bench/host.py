"""`windlass worker` as it is shipped, but its processes know the benchmark's workflow types."""

from dataclasses import replace

from app.cli.processes import worker
from app.config import load
from tests.bench.knowing import knowing


def main() -> None:
    """Keep the host's processes alive until SIGTERM."""
    settings = load()
    hosted = [replace(child, argv=knowing(child.argv)) for child in worker.children(settings)]
    worker.run(settings, hosted)


if __name__ == "__main__":
    main()

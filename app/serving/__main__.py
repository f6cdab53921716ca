"""`python -m app.serving MODULE:FACTORY --host --port --workers --threads`: one door of the service."""

import argparse
import importlib
import sys
from functools import partial

from app.serving.crew import WSGI
from app.serving.server import CannotServe, serve


def main() -> int:
    """Serve what a factory makes; each process calls it once."""
    parser = argparse.ArgumentParser(prog="app.serving")
    parser.add_argument("factory", help="module:function that makes a WSGI application")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    asked = parser.parse_args()
    made = partial(_made, asked.factory)
    try:
        return serve(made, asked.host, asked.port, workers=asked.workers, threads=asked.threads)
    except CannotServe as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _made(factory: str) -> WSGI:
    module, _, name = factory.partition(":")
    app: WSGI = getattr(importlib.import_module(module), name)()
    return app


if __name__ == "__main__":
    sys.exit(main())

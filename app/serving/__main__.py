"""`python -m app.serving MODULE:FACTORY --host --port --workers --threads`: serve one WSGI application.

``--body-bytes`` is the longest body; ``--refusals MODULE:FUNCTION`` makes the answers to requests that the
server itself refuses, in the shape of that application.
"""

import argparse
import gc
import importlib
import sys
from typing import Any

from app import collector
from app.serving.limits import LIMITS, holding
from app.serving.refusals import Refused
from app.serving.server import CannotServe, serve


def main() -> int:
    """Serve what a factory makes; each process calls it once.

    Its module is imported before they are forked, so that they share what it takes to load and to hold.
    """
    parser = argparse.ArgumentParser(prog="app.serving")
    parser.add_argument("factory", help="module:function that makes a WSGI application")
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--live", type=int, default=0, help="threads for pages that stay open")
    parser.add_argument("--body-bytes", type=int, default=LIMITS.body_bytes)
    parser.add_argument("--refusals", help="module:function that makes the answer of a refusal")
    asked = parser.parse_args()
    make = _named(asked.factory)
    refusals = _named(asked.refusals) if asked.refusals else Refused.answer
    gc.freeze()  # They share the memory that nobody writes to, and the collector writes to what it looks at.
    try:
        return serve(
            make,
            asked.host,
            asked.port,
            workers=asked.workers,
            threads=asked.threads,
            limits=holding(asked.body_bytes),
            live=asked.live,
            refusals=refusals,
        )
    except CannotServe as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(importlib.import_module(module), name)


if __name__ == "__main__":
    collector.look_seldom()
    sys.exit(main())

"""Flower as we start it: ``python -P -m app.host.flower_entry HOST,HOST -A tasks flower …``.

Flower has no login and answers every name that leads to it. A page of a browser could give its own name the
address 127.0.0.1 (DNS rebinding) and read what Flower shows; so it answers the names given first, no other.
"""

import sys
from pathlib import Path
from urllib.parse import urlsplit

from celery.__main__ import main
from flower.app import Flower
from tornado.httputil import HTTPServerRequest
from tornado.web import ErrorHandler

from app import collector


def answer_only(names: frozenset[str]) -> None:
    """Have every Flower of this process refuse requests that name another host."""
    usual = Flower.find_handler

    def find_handler(self: Flower, request: HTTPServerRequest, **given: object) -> object:
        if _host_of(request) in names:
            return usual(self, request, **given)
        return self.get_handler_delegate(request, ErrorHandler, {"status_code": 403})

    Flower.find_handler = find_handler


def _host_of(request: HTTPServerRequest) -> str | None:
    try:
        return urlsplit(f"//{request.host}").hostname
    except ValueError:
        return None


if __name__ == "__main__":
    collector.look_seldom()
    names = sys.argv.pop(1)
    answer_only(frozenset(names.split(",")))
    sys.path.append(str(Path.cwd()))
    main()

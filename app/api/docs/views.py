"""Where to begin, the OpenAPI document, and its pages; nothing is loaded from elsewhere."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Response, current_app, jsonify
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from app.api.docs import reference
from app.api.http import openapi
from app.api.http.context import world
from app.api.http.family import JSON_OFFERS, PUBLIC, Family

docs = Family("docs", "Where to begin, this document and its pages.")
FOLDER = Path(__file__).parent / "templates"
HTML, CSS = "text/html", "text/css"
POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
_pages = Environment(
    loader=FileSystemLoader(FOLDER),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@docs.serve("GET", "/", "startPage", scope=PUBLIC, offers=(HTML, *JSON_OFFERS))
@docs.response(303, {"type": "string"}, content_type=HTML, description="Where to look.")
def start_page() -> Response:
    """The console; without one, the pages of this document."""
    to = "/console/" if world().settings.console else "/docs"
    return Response(status=303, headers={"Location": to})


@docs.serve("GET", "/openapi.json", "openapi", scope=PUBLIC)
@docs.response(200, {"type": "object"}, description="OpenAPI 3.1.")
def openapi_document() -> Response:
    """This document."""
    return Response(
        _kept("openapi", lambda: jsonify(openapi.document(current_app)).get_data()),
        content_type="application/json",
    )


@docs.serve("GET", "/docs", "docsPage", scope=PUBLIC, offers=(HTML,))
@docs.response(200, {"type": "string"}, content_type=HTML, description="A page.")
def docs_page() -> Response:
    """Every operation with its parameters, bodies, answers and examples."""
    return _shown(_kept("docs", _docs))


@docs.serve("GET", "/docs/problems", "problemsPage", scope=PUBLIC, offers=(HTML,))
@docs.response(200, {"type": "string"}, content_type=HTML, description="A page.")
def problems_page() -> Response:
    """Every kind of refusal: what the `type` of a problem points to."""
    return _shown(_kept("problems", lambda: _rendered("problems.html", kinds=openapi.codes())))


@docs.serve("GET", "/docs/style.css", "docsStyle", scope=PUBLIC, offers=(CSS,))
@docs.response(200, {"type": "string"}, content_type=CSS, description="A style sheet.")
def docs_style() -> Response:
    """The style of the pages."""
    return Response((FOLDER / "style.css").read_text(), content_type=f"{CSS}; charset=utf-8")


def _docs() -> bytes:
    document = openapi.document(current_app)
    about = document["info"]["description"].strip().split("\n\n")
    return _rendered(
        "docs.html", about=about, families=reference.families(document), shapes=reference.shapes(document)
    )


def _kept(name: str, make: Callable[[], bytes]) -> bytes:
    """What is the same for everybody is made once a process: anybody may ask for it, as often as he likes."""
    pages: dict[str, bytes] = current_app.extensions.setdefault("windlass.pages", {})
    if name not in pages:
        pages[name] = make()
    return pages[name]


def _rendered(name: str, **values: Any) -> bytes:
    return _pages.get_template(name).render(**values).encode()


def _shown(page: bytes) -> Response:
    return Response(page, content_type=f"{HTML}; charset=utf-8", headers={"Content-Security-Policy": POLICY})


def _with_code(text: str) -> Markup:
    """Prose in which backticks stand around code."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )


_pages.filters["with_code"] = _with_code

"""Where to begin, the OpenAPI document, and its pages; nothing is loaded from elsewhere."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask import Response, current_app, jsonify
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from app.api.docs import reference, remedies
from app.api.http import openapi
from app.api.http.context import world
from app.api.http.family import JSON_OFFERS, PUBLIC, Family
from app.api.http.prose import with_code
from app.domain.errors import NotFound

docs = Family("docs", "Where to begin, this document and its pages.")
FOLDER = Path(__file__).parent / "templates"
HTML, CSS, JS = "text/html", "text/css", "text/javascript"
POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SHAPE = re.compile(r"[A-Z]\w+")
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
    """Every operation by family; each has a page of its own."""
    return _shown(_kept("docs", _docs))


@docs.serve("GET", "/docs/operations/<operation>", "operationPage", scope=PUBLIC, offers=(HTML,))
@docs.response(200, {"type": "string"}, content_type=HTML, description="A page.")
def operation_page(operation: str) -> Response:
    """One operation with its parameters, body, answers and examples, and a form that tries it."""
    found = _operations().get(operation)
    if found is None:
        raise NotFound(f"There is no operation {operation[:64]}.")
    return _shown(_kept(f"docs {operation}", lambda: _rendered("operation.html", operation=found)))


@docs.serve("GET", "/docs/shapes", "shapesPage", scope=PUBLIC, offers=(HTML,))
@docs.response(200, {"type": "string"}, content_type=HTML, description="A page.")
def shapes_page() -> Response:
    """Every object and its members."""
    return _shown(_kept("shapes", _shapes))


@docs.serve("GET", "/docs/problems", "problemsPage", scope=PUBLIC, offers=(HTML,))
@docs.response(200, {"type": "string"}, content_type=HTML, description="A page.")
def problems_page() -> Response:
    """Every code with its cause and what to do: what the `type` of a problem points to."""
    return _shown(_kept("problems", lambda: _rendered("problems.html", codes=remedies.codes())))


@docs.serve("GET", "/docs/style.css", "docsStyle", scope=PUBLIC, offers=(CSS,))
@docs.response(200, {"type": "string"}, content_type=CSS, description="A style sheet.")
def docs_style() -> Response:
    """The style of the pages."""
    return Response((FOLDER / "style.css").read_text(), content_type=f"{CSS}; charset=utf-8")


@docs.serve("GET", "/docs/viewer.js", "docsScript", scope=PUBLIC, offers=(JS,))
@docs.response(200, {"type": "string"}, content_type=JS, description="A script.")
def docs_script() -> Response:
    """The script of the pages, which are whole without it."""
    return Response((FOLDER / "viewer.js").read_text(), content_type=f"{JS}; charset=utf-8")


def _docs() -> bytes:
    document = _document()
    about = document["info"]["description"].strip().split("\n\n")
    return _rendered("docs.html", about=about, families=reference.families(document))


def _shapes() -> bytes:
    return _rendered("shapes.html", shapes=reference.shapes(_document()))


def _document() -> dict[str, Any]:
    """The document, made once a process."""
    known: dict[str, object] = current_app.extensions.setdefault("windlass.document", {})
    if not known:
        known.update(openapi.document(current_app))
    return known


def _operations() -> dict[str, dict[str, object]]:
    """All operations by their ids, made once a process."""
    known: dict[str, dict[str, object]] = current_app.extensions.setdefault("windlass.operations", {})
    if not known:
        for family in reference.families(_document()):
            known.update({one["id"]: one for one in family["operations"]})
    return known


def _kept(name: str, make: Callable[[], bytes]) -> bytes:
    """What is the same for everybody is made once a process: anybody may ask for it, as often as he likes."""
    pages: dict[str, bytes] = current_app.extensions.setdefault("windlass.pages", {})
    if name not in pages:
        pages[name] = make()
    return pages[name]


def _rendered(name: str, **values: object) -> bytes:
    return _pages.get_template(name).render(**values).encode()


def _shown(page: bytes) -> Response:
    return Response(page, content_type=f"{HTML}; charset=utf-8", headers={"Content-Security-Policy": POLICY})


def _with_shapes(text: str) -> Markup:
    """A type in words, in which the names of shapes are links."""
    shapes = _document()["components"]["schemas"]
    parts, done = [Markup("")], 0
    for match in SHAPE.finditer(text):
        if match[0] in shapes:
            parts += [escape(text[done : match.start()])]
            parts += [Markup('<a href="/docs/shapes#{0}">{0}</a>').format(match[0])]
            done = match.end()
    return Markup("").join([*parts, escape(text[done:])])


_pages.filters["with_code"] = with_code
_pages.filters["with_shapes"] = _with_shapes

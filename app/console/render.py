"""Renders templates, with the frame around each page, filters and icons."""

import json
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote_plus

from flask import g, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from app.api.http.prose import with_code
from app.console import appearance, navigation, session, spans
from app.console.family import ROOT
from app.console.static_files import static
from app.domain.ids import new_id

JSON_PARTS = re.compile(
    r'(?P<nt>"(?:[^"\\]|\\.)*"(?=:))'
    r'|(?P<s2>"(?:[^"\\]|\\.)*")'
    r"|(?P<mi>-?\b\d[\d.eE+-]*|\b(?:true|false|null)\b)"
)
THEMES = ("system", "light", "dark")
MOST_KEPT = 512  # Icons and states, which a page of many rows shows again and again.
MOST_SHOWN = 65_536  # Characters of one value on a page; the API has all of it.
environment = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, **values: object) -> str:
    """A page: the template within the frame for this visitor."""
    return environment.get_template(template).render(**_shell(), **values)


def now_ms() -> int:
    """The time of this page."""
    if "now_ms" not in g:
        g.now_ms = time.time_ns() // 1_000_000
    return int(g.now_ms)


def theme() -> str:
    """The theme that this visitor chose."""
    chosen = request.cookies.get("windlass-theme", "system")
    return chosen if chosen in THEMES else "system"


def may(scope: str) -> bool:
    """Whether this visitor holds a scope."""
    principal = g.get("principal")
    return principal is not None and principal.allows(scope)


def address(**changes: object) -> str:
    """The address of this page with other parameters: None removes one, a list repeats it."""
    given = {name.removesuffix("_"): value for name, value in changes.items()}
    asked = [pair for name, pair in _asked() if name not in given]
    for name, value in given.items():
        values = value if isinstance(value, list) else [value]
        asked += [_pair(name, str(each)) for each in values if each is not None]
    return f"{request.path}?{'&'.join(asked)}" if asked else request.path


def _asked() -> list[tuple[str, str]]:
    """The parameters of this page without its cursor, each with its part of the address.

    Cached for the page: a list of runs has a hundred links to itself.
    """
    if "asked" not in g:
        given = request.args.items(multi=True)
        g.asked = [(name, _pair(name, value)) for name, value in given if name != "cursor"]
    found: list[tuple[str, str]] = g.asked
    return found


def _pair(name: str, value: str) -> str:
    return f"{quote_plus(name)}={quote_plus(value)}"


@lru_cache(MOST_KEPT)
def icon(name: str, label: str | None = None) -> Markup:
    """An icon; a label makes it accessible to screen readers."""
    told = Markup(' role="img" aria-label="{}"').format(label) if label else Markup(' aria-hidden="true"')
    return Markup('<svg class="icon"{}><use href="{}#{}"/></svg>').format(told, static("icons.svg"), name)


@lru_cache(MOST_KEPT)
def state(detail: str | None, *, of: str = "run", word: str | None = None) -> Markup:
    """A state: icon, word, colour."""
    seen = appearance.run_look(detail) if of == "run" else appearance.look(detail)
    return Markup('<span class="st {}">{}{}</span>').format(seen.family, icon(seen.icon), word or seen.word)


def moment(at: str | None, empty: str = "–") -> Markup:
    """A moment: the time of day in UTC, all of it on hover, and how long ago for scripts to say."""
    if not at:
        return Markup('<span class="soft">{}</span>').format(empty)
    shown = spans.clock(at, now_ms())
    return Markup('<time datetime="%s" title="%s UTC">%s</time>') % (at, at[:19].replace("T", " "), shown)


def as_json(value: object) -> Markup:
    """A value as JSON in colour."""
    text = json.dumps(value, indent=2, ensure_ascii=False, default=str)
    cut = len(text) > MOST_SHOWN
    inner = Markup("").join(_coloured(text[:MOST_SHOWN]))
    more = Markup('\n<span class="soft">… cut here: the API has all of it</span>') if cut else ""
    return Markup('<pre class="json" tabindex="0">{}{}</pre>').format(inner, more)


def _coloured(text: str) -> Iterator[Markup]:
    """JSON with its names, texts and numbers marked."""
    done = 0
    for match in JSON_PARTS.finditer(text):
        yield escape(text[done : match.start()])
        yield Markup('<span class="{}">{}</span>').format(match.lastgroup, match[0])
        done = match.end()
    yield escape(text[done:])


def short(id_: str | None, keep: int = 6) -> str:
    """The end of an id, in which ids differ most."""
    if not id_:
        return ""
    return id_ if len(id_) <= keep + 6 else id_[-keep:]


def form_key() -> str:
    """The idempotency key of a form: sent twice, it takes effect once."""
    return f"console-{secrets.token_urlsafe(18)}"


def _shell() -> Mapping[str, object]:
    principal = g.get("principal")
    return {
        "who": principal,
        "keyless": principal is not None and principal.key_id is None,
        "rail": navigation.items(request.path) if principal is not None else [],
        "theme": theme(),
        "here": request.full_path.rstrip("?"),
        "path": request.path,
        "csrf": session.csrf(),
        "now": now_ms(),
    }


environment.globals.update(
    toggled=lambda values, value: (
        [one for one in values if one != value] or None if value in values else [*values, value]
    ),
    address=address,
    icon=icon,
    may=may,
    moment=moment,
    form_key=form_key,
    new_id=new_id,
    root=ROOT,
    run_look=appearance.run_look,
    state=state,
    static=static,
)
environment.filters.update(
    about=spans.about,
    as_json=as_json,
    clock=spans.clock,
    number=spans.number,
    sum_hour=lambda hour: hour["completed"] + hour["failed"],
    pairs=lambda words: [(word, word) for word in words],
    ms=spans.parse,
    short=short,
    size=spans.size,
    took=spans.took,
    with_code=with_code,
)

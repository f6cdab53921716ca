"""Answers as values: one thing, one page of a list, or an iterator that walks all pages by cursor."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from windlass.decode import Model
from windlass.session import Answer, Query, Session

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, kw_only=True)
class Page(Generic[M]):
    """A part of a list; ``total`` is estimated beyond 10,000."""

    items: tuple[M, ...]
    total: int
    has_more: bool
    next_cursor: str | None

    def __iter__(self) -> Iterator[M]:
        return iter(self.items)


def one(model: type[M], answer: Answer) -> M:
    """Read one thing from its envelope, with the tag of its version."""
    return model.of(answer.data or {}, answer.headers.get("etag"))


def page_of(model: type[M], answer: Answer) -> Page[M]:
    """Read a page from its envelope."""
    facts = answer.meta.get("pagination") or {}
    items = tuple(model.of(each) for each in answer.data or ())
    return Page(
        items=items,
        total=facts.get("total", len(items)),
        has_more=bool(facts.get("hasMore")),
        next_cursor=facts.get("nextCursor"),
    )


def every(read: Callable[[str | None], Page[M]]) -> Iterator[M]:
    """All items, reading the next page when the last one is used up."""
    cursor: str | None = None
    while True:
        page = read(cursor)
        yield from page
        cursor = page.next_cursor
        if not (page.has_more and cursor):
            return


def read_page(session: Session, path: str, model: type[M], query: Query) -> Page[M]:
    """Ask for one page."""
    return page_of(model, session.get(path, query))


def read_every(session: Session, path: str, model: type[M], query: Query) -> Iterator[M]:
    """Ask for all items, page after page."""
    return every(lambda cursor: read_page(session, path, model, {**query, "cursor": cursor}))

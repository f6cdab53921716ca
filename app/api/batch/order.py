"""Reads the body of a submit: a definition in Nickel or JSON, and the options."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import request

from app.api.batch.family import NICKEL
from app.api.http import bodies
from app.domain.batch import graph, words
from app.domain.batch.definition import BatchDefinition, parse
from app.domain.batch.invalid import InvalidDefinition
from app.domain.batch.reader import Members, Problems
from app.domain.errors import PayloadTooLarge, UnsupportedMediaType, ValidationFailed
from app.nickel.evaluate import LARGEST_SOURCE, evaluate

MEMBERS = dict.fromkeys(
    ("batch_workflow", "nickel", "source", "dry_run", "idempotency_key", "only", "except")
)


@dataclass(frozen=True, kw_only=True)
class BatchOrder:
    """A definition and the options of its submit."""

    definition: BatchDefinition
    source: str | None = None  # The text of the definition.
    dry_run: bool = False
    key: str | None = None
    only: tuple[str, ...] = ()
    except_: tuple[str, ...] = ()


def read(query: Mapping[str, object]) -> BatchOrder:
    """The order in this request; raises `InvalidDefinition`, and errors for an unknown media type or form."""
    request.max_content_length = words.LARGEST_DOCUMENT + 1
    if bodies.is_encoded(request.headers.get("Content-Encoding", "")):
        raise UnsupportedMediaType(f"{bodies.ENCODED}.")
    if request.mimetype == NICKEL:
        source = _text(request.get_data())
        return _order(evaluate(source), source, query, {})
    if request.mimetype not in ("", "application/json"):
        raise UnsupportedMediaType(f"The body must be {NICKEL} or application/json.")
    found = bodies.parse(request.get_data(), words.LARGEST_DOCUMENT)
    if not isinstance(found, dict):
        raise _wrong("body", "Must be an object")
    if ("nickel" in found) == ("batch_workflow" in found):
        raise _wrong(
            "body", "Give exactly one of nickel, the text of a program, and batch_workflow, a definition"
        )
    if "batch_workflow" in found:
        return _order(
            {"batch_workflow": found["batch_workflow"]}, _optional_text(found, "source"), query, found
        )
    source = _optional_text(found, "nickel") or ""
    return _order(evaluate(source), source, query, found)


def _order(
    value: object, source: str | None, query: Mapping[str, Any], found: Mapping[str, object]
) -> BatchOrder:
    problems = Problems()
    members = Members(found, "", MEMBERS, problems)
    key = members.text("idempotency_key", most=255) if "idempotency_key" in found else None
    dry_run = members.flag("dry_run", False) or query["dry_run"]
    only = members.names("only", words.ID, words.ID_RULE) or tuple(query["only_"])
    except_ = members.names("except", words.ID, words.ID_RULE) or tuple(query["except_"])
    problems.refuse()
    definition = parse(_inner(value))
    only, except_ = only or definition.only, except_ or definition.except_
    graph.selected(definition.operations, only, except_)
    return BatchOrder(
        definition=definition,
        source=source,
        dry_run=dry_run,
        key=_one_key(key, query),
        only=only,
        except_=except_,
    )


def _inner(value: object) -> object:
    """The member ``batch_workflow`` of an evaluated Nickel program."""
    if not isinstance(value, dict) or "batch_workflow" not in value:
        raise _wrong("batch_workflow", "Is missing: the program must give a record with batch_workflow")
    if strange := [name for name in value if name != "batch_workflow"]:
        raise _wrong(str(strange[0])[:64], "Unknown member; a definition has batch_workflow alone")
    return value["batch_workflow"]


def _one_key(member: str | None, query: Mapping[str, Any]) -> str | None:
    """The idempotency key from the header, the query or the body; raises when two of them differ."""
    header = request.headers.get("Idempotency-Key")
    given = {key for key in (header, query.get("idempotency_key"), member) if key}
    if len(given) > 1:
        raise ValidationFailed.of(
            "idempotency_key", "Is not the same in the header Idempotency-Key and elsewhere"
        )
    key = next(iter(given), None)
    if key is not None and not (key.isascii() and key.isprintable() and len(key) <= 255):
        raise ValidationFailed.of("Idempotency-Key", "Must be 1 to 255 visible ASCII characters")
    return key


def _text(raw: bytes) -> str:
    if len(raw) > LARGEST_SOURCE:
        raise PayloadTooLarge(f"The program has more than {LARGEST_SOURCE} bytes.", limit=LARGEST_SOURCE)
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        raise ValidationFailed.of("body", "Is not UTF-8") from None
    if not bodies.storable(text):  # Also within comments: the text is stored with the batch.
        raise ValidationFailed.of("body", f"Holds {bodies.NOT_TEXT}")
    return text


def _optional_text(found: Mapping[str, object], name: str) -> str | None:
    text = found.get(name)
    if text is not None and not isinstance(text, str):
        raise _wrong(name, "Must be a text")
    if text is not None and len(text.encode()) > LARGEST_SOURCE:
        raise PayloadTooLarge(f"{name} has more than {LARGEST_SOURCE} bytes.", limit=LARGEST_SOURCE)
    return text


def _wrong(field: str, problem: str) -> InvalidDefinition:
    return InvalidDefinition("INVALID_DEFINITION", f"{field}: {problem}", {"fields": {field: problem}})

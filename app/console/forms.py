"""Forms from JSON Schema, and what they say back as JSON; pure.

    fields(schema, value, wrong)      # What the page shows.
    parse(schema, given)              # What the form says: a value, and what is wrong with which field.

Names are dotted (``image.url``, ``disks.0.source``), as the API names the fields that it refuses.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]
MOST_RADIOS = 6
LONG = 600  # From so many characters on a text has more than one line.
MOST_ROWS = 50
SHORTS = {
    **{word: word.upper() for word in ("bmc", "mac", "url", "uri", "gb", "mb", "vm", "ipmi")},
    "cpus": "CPUs",
    "nics": "NICs",
}
SECRET = ("password", "token", "secret")


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a form."""

    name: str
    title: str
    kind: str  # text, long, url, password, number, choice, radio, tri, list, json, group or rows.
    value: str = ""
    required: bool = False
    hint: str = ""
    wrong: str = ""
    choices: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    longest: int | None = None
    options: str = ""  # Of which resources it names one.
    inner: tuple["Field", ...] = ()


def fields(
    schema: Schema, value: object = None, wrong: Mapping[str, str] | None = None, *, under: str = ""
) -> list[Field]:
    """The fields of an object, in its order, what is required first."""
    given = value if isinstance(value, Mapping) else {}
    needed = set(schema.get("required") or ())
    named = sorted((schema.get("properties") or {}).items(), key=lambda item: item[0] not in needed)
    return [
        _field(name, inner, given.get(name), wrong or {}, under=under, required=name in needed)
        for name, inner in named
    ]


def parse(schema: Schema, given: Mapping[str, str], *, under: str = "") -> tuple[Any, dict[str, str]]:
    """The object that a form says; fields that are left empty are left out."""
    found: dict[str, object] = {}
    wrong: dict[str, str] = {}
    for name, inner in (schema.get("properties") or {}).items():
        value = _parsed(inner, given, _dotted(under, name), wrong)
        if value is not None:
            found[name] = value
    return found, wrong


def kind_of(schema: Schema, name: str = "") -> str:
    """How a value is asked for."""
    choices, type_ = _choices(schema), _type(schema)
    if choices:
        return "radio" if len(choices) <= MOST_RADIOS else "choice"
    if type_ == "boolean":
        return "tri"
    if type_ in ("integer", "number"):
        return "number"
    if type_ == "array":
        return _kind_of_list(schema.get("items") or {})
    if type_ == "object":
        return "group" if schema.get("properties") else "json"
    if type_ != "string":
        return "json"
    if any(word in name.lower() for word in SECRET):
        return "password"
    if schema.get("format") in ("url", "uri"):
        return "url"
    return "long" if (schema.get("maxLength") or 0) >= LONG else "text"


def _kind_of_list(items: Schema) -> str:
    if _type(items) == "object" and items.get("properties"):
        return "rows"
    return "list" if _type(items) == "string" else "json"


def _field(
    name: str, schema: Schema, value: object, wrong: Mapping[str, str], *, under: str, required: bool
) -> Field:
    dotted, kind = _dotted(under, name), kind_of(schema, name)
    return Field(
        name=dotted,
        title=str(schema.get("title") or _title(name)),
        kind=kind,
        value="" if kind in ("group", "rows", "password") else _text(kind, value, schema),
        required=required,
        hint=_hint(schema),
        wrong=wrong.get(dotted, ""),
        choices=_choices(schema),
        minimum=schema.get("minimum"),
        maximum=schema.get("maximum"),
        longest=schema.get("maxLength"),
        options=str(schema.get("x-resource") or ""),
        inner=_inner(kind, schema, value, wrong, dotted),
    )


def _inner(
    kind: str, schema: Schema, value: object, wrong: Mapping[str, str], dotted: str
) -> tuple[Field, ...]:
    if kind == "group":
        return tuple(fields(schema, value, wrong, under=dotted))
    if kind != "rows":
        return ()
    items, given = schema["items"], value if isinstance(value, Sequence) else []
    most = min(len(given) + 1, int(schema.get("maxItems") or MOST_ROWS), MOST_ROWS)
    return tuple(
        Field(
            name=f"{dotted}.{place}",
            title=f"{place + 1}",
            kind="group",
            inner=tuple(fields(items, dict(enumerate(given)).get(place), wrong, under=f"{dotted}.{place}")),
        )
        for place in range(most)
    )


def _parsed(schema: Schema, given: Mapping[str, str], dotted: str, wrong: dict[str, str]) -> object:
    kind = kind_of(schema, dotted.rpartition(".")[2])
    if kind == "group":
        value, inner = parse(schema, given, under=dotted)
        wrong.update(inner)
        return value or None
    if kind == "rows":
        return _rows(schema["items"], given, dotted, wrong)
    raw = given.get(dotted, "")
    text = raw.replace("\r\n", "\n") if kind in ("long", "json") else raw.strip()
    return None if not text.strip() else _value(kind, schema, text, dotted, wrong)


def _rows(items: Schema, given: Mapping[str, str], dotted: str, wrong: dict[str, str]) -> object:
    """The rows that say anything."""
    found = []
    for place in range(MOST_ROWS):
        under = f"{dotted}.{place}"
        if not any(name.startswith(f"{under}.") for name in given):
            break
        value, inner = parse(items, given, under=under)
        wrong.update(inner)
        if value:
            found.append(value)
    return found or None


def _value(kind: str, schema: Schema, text: str, dotted: str, wrong: dict[str, str]) -> object:
    if kind == "tri":
        return text == "true"
    if kind == "list":
        return [line.strip() for line in text.replace(",", "\n").split("\n") if line.strip()]
    if kind == "number":
        try:
            return int(text) if _type(schema) == "integer" else float(text)
        except ValueError:
            wrong[dotted] = "Must be a whole number" if _type(schema) == "integer" else "Must be a number"
            return None
    if kind == "json":
        try:
            return json.loads(text)
        except (ValueError, RecursionError):
            wrong[dotted] = "Is not JSON"
            return None
    return text


def _text(kind: str, value: Any, schema: Schema) -> str:
    if value is None:
        default = schema.get("default")
        return (
            str(default).lower()
            if kind == "radio" and isinstance(default, str) and default in _choices(schema)
            else ""
        )
    if kind == "tri":
        return "true" if value is True else "false"
    if kind == "list":
        return "\n".join(str(each) for each in value)
    return json.dumps(value, indent=2, ensure_ascii=False) if kind == "json" else str(value)


def _choices(schema: Schema) -> tuple[str, ...]:
    return tuple(str(word) for word in schema.get("enum") or () if word is not None)


def _type(schema: Schema) -> str:
    type_ = schema.get("type")
    if isinstance(type_, list):
        return next((str(word) for word in type_ if word != "null"), "")
    return str(type_ or "")


def _hint(schema: Schema) -> str:
    said = str(schema.get("description") or "")
    examples = schema.get("examples") or ([schema["example"]] if "example" in schema else [])
    example = examples[0] if examples else None
    shown = ", ".join(map(str, example)) if isinstance(example, list) else example
    if shown is None or isinstance(shown, Mapping):
        return said
    return f"{said} For example {shown}".strip()


def _title(name: str) -> str:
    """A field's name in words: ``bmcAddress`` is "BMC address"."""
    spaced = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
    first, *others = spaced.replace("_", " ").split()
    return " ".join((SHORTS.get(first, first.capitalize()), *(SHORTS.get(word, word) for word in others)))


def _dotted(under: str, name: str) -> str:
    return f"{under}.{name}" if under else name

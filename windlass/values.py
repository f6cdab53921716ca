"""What is durable is JSON: values on their way into history and out of it, secrets sealed."""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from windlass.failures import NotStorable

LARGEST = 262_144  # Bytes of one value as JSON.
DEEPEST = 100  # Lists and mappings inside each other.
SECRET = "$secret"
SUSPECT = re.compile(
    r'\\u0000|\\ud[89a-f]|"\$secret"'
)  # As JSON writes NUL, surrogates and a sealed secret's key.


class Secret:
    """Text that is sealed wherever it is stored and hidden wherever it is printed; `reveal()` gives it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"a Secret is text, not {type(text).__name__}")
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret('***')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash((Secret, self._text))


def encode(value: object, what: str, seal: Callable[[str], str], limit: int = LARGEST) -> Any:
    """The value as plain JSON, secrets sealed; `what` names it when it cannot be kept."""

    def other(one: object) -> Any:
        if isinstance(one, Secret):
            return {SECRET: seal(one.reveal())}
        raise TypeError(type(one).__name__)

    try:
        text = json.dumps(value, allow_nan=False, default=other)
        found = unkept(value) if SUSPECT.search(text) else None
    except (TypeError, ValueError, RecursionError) as error:
        found = unkept(value) or f"cannot be written as JSON: {error}"
    if found is not None:
        raise NotStorable(f"{what} {found}")
    if len(text) > limit and (size := _size(text)) > limit:
        raise NotStorable(f"{what} has {size} bytes as JSON; at most {limit} are kept")
    plain = json.loads(text)
    if plain != value and (found := unkept(value)) is not None:  # JSON makes text of keys that are none.
        raise NotStorable(f"{what} {found}")
    if text.count("[") + text.count("{") > DEEPEST and _deeper(plain):
        raise NotStorable(f"{what} is nested in more than {DEEPEST} levels")
    return plain


def changed(value: object, back: Any, path: str = "$") -> str | None:
    """What came back from JSON as another type, and where, but for tuples, which become lists; or None."""
    if isinstance(value, list) or type(value) is tuple:
        pairs = [(f"{path}[{place}]", *both) for place, both in enumerate(zip(value, back, strict=True))]
    elif isinstance(value, dict):
        pairs = [(f"{path}.{name}", one, back[name]) for name, one in value.items()]
    else:
        pairs = []
    if type(value) is not type(back) and type(value) is not tuple:
        return f"a {type(value).__name__} at {path}, which comes back as {type(back).__name__}"
    return next((found for place, one, other in pairs if (found := changed(one, other, place))), None)


def alike(value: Any, back: Any) -> bool:
    """Whether a value came back from JSON as it was: equal, and of the same types all the way down."""
    if type(value) is not type(back):
        return False
    if isinstance(value, list):
        return len(value) == len(back) and all(map(alike, value, back))
    if isinstance(value, dict):
        return value.keys() == back.keys() and all(alike(one, back[name]) for name, one in value.items())
    return bool(value == back)


def _size(text: str) -> int:
    """Bytes of a JSON text in UTF-8: what is escaped here counts as the character that it is."""
    return len(json.dumps(json.loads(text), ensure_ascii=False).encode("utf-8", "surrogatepass"))


def concealed(
    args: Sequence[object],
    kwargs: Mapping[str, object],
    places: Mapping[str, int | None],
    seal: Callable[[str], str],
) -> tuple[list[Any], dict[str, Any]]:
    """JSON arguments with those that are secrets sealed: `places` has the position of each by its name."""
    given, named = list(args), dict(kwargs)
    for name, position in places.items():
        if name in named:
            named[name] = _concealed(named[name], name, seal)
        elif position is not None and position < len(given):
            given[position] = _concealed(given[position], name, seal)
    return given, named


def _concealed(value: object, name: str, seal: Callable[[str], str]) -> object:
    if value is None or (isinstance(value, dict) and value.keys() == {SECRET}):
        return value
    if not isinstance(value, str):
        raise NotStorable(f"{name} is a secret and must be text, not {type(value).__name__}")
    return {SECRET: seal(value)}


def decode(value: object, unseal: Callable[[str], str]) -> Any:
    """A fresh copy of a stored value, sealed secrets as `Secret`."""
    if isinstance(value, dict):
        if len(value) == 1 and isinstance(value.get(SECRET), str):
            return Secret(unseal(value[SECRET]))
        return {name: decode(one, unseal) for name, one in value.items()}
    if isinstance(value, list):
        return [decode(one, unseal) for one in value]
    return value


def _deeper(value: object) -> bool:
    level = [value]
    for _ in range(DEEPEST):
        level = [one for each in level if isinstance(each, dict | list) for one in _inside(each)]
    return any(isinstance(each, dict | list) for each in level)


def _inside(value: dict[str, object] | list[object]) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value


def unkept(value: object) -> str | None:
    """What in a value cannot be kept as JSON, and where; None when each part alone can."""
    try:
        for path, one in _parts(value, "$"):
            problem = _problem(one)
            if problem:
                return f"holds {problem} at {path}"
    except RecursionError:
        return "is nested in itself, or too deeply"
    return None


def _parts(value: object, path: str) -> Iterator[tuple[str, object]]:
    yield path, value
    if isinstance(value, dict):
        keys: set[str] = set()
        for name, one in value.items():
            yield f"{path}.{name}", _Key(name, keys)
            yield from _parts(one, f"{path}.{name}")
    elif isinstance(value, list | tuple):
        for index, one in enumerate(value):
            yield from _parts(one, f"{path}[{index}]")


class _Key:
    """A key of a mapping, as one of its parts."""

    def __init__(self, name: object, before: set[str]) -> None:
        self.name, self.text = name, name if isinstance(name, str) else f"{name}"
        self.taken = self.text in before  # JSON makes text of numbers, too.
        before.add(self.text)


def _problem(one: object) -> str | None:
    if isinstance(one, _Key):
        if one.name == SECRET:
            return f'the reserved key "{SECRET}"'
        if one.taken:
            return f"two keys that are the same as text ({one.text!r:.50})"
        if isinstance(one.name, str):
            return _problem(one.name)
        number = isinstance(one.name, int | float) and not isinstance(one.name, bool)
        return _problem(one.name) if number else f"a key that is not text, nor a number ({one.name!r:.50})"
    if isinstance(one, float):
        return None if math.isfinite(one) else f"{one} (not a number that JSON knows)"
    if isinstance(one, str):
        return _illegible(one)
    if one is None or isinstance(one, int | dict | list | tuple | Secret):
        return None
    return f"a {type(one).__name__} (not JSON)"


def _illegible(text: str) -> str | None:
    if "\0" in text:
        return "text with a NUL character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "text with half a surrogate pair"
    return None

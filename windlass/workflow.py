"""Workflows as code: a function that survives, its name, version and limits."""

import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from windlass.durations import Duration, duration_ms, exact_ms
from windlass.failures import DefinitionError

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", re.ASCII)
VERSION = re.compile(r"[A-Za-z0-9_.+-]{1,50}", re.ASCII)
BY_POSITION = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
MOST_EVENTS = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One version of a workflow: `fn(ctx, *args, **kwargs)`, called from the top on every advance."""

    name: str
    version: str = "1"
    fn: Callable[..., Any] = field(repr=False)
    max_events: int | None = 10_000
    execution_timeout_ms: int | None = None  # Of work: sleeps and waits do not count.
    step_timeout_ms: int = 300_000
    secrets: tuple[str, ...] = ()  # Parameters that are sealed when a run is started.
    description: str = ""
    fingerprint: str = ""  # Hash of the source text of the function's module.

    def __call__(self, ctx: object, *args: object, **kwargs: object) -> object:
        """Call the function within another workflow: its calls become that run's."""
        return self.fn(ctx, *args, **kwargs)

    @property
    def queue(self) -> str:
        """The queue that workers of this version listen to."""
        return f"wf.{self.name}" if self.version == "1" else f"wf.{self.name}@{self.version}"

    @property
    def secret_places(self) -> dict[str, int | None]:
        """The position of each secret parameter behind ctx, None for one that goes by name alone."""
        parameters = list(inspect.signature(self.fn).parameters.values())[1:]
        places = {each.name: n for n, each in enumerate(parameters) if each.kind in BY_POSITION}
        return {name: places.get(name) for name in self.secrets}

    @property
    def names(self) -> list[str] | None:
        """The parameters behind ctx that may be given by name; None when the function takes any name."""
        parameters = list(inspect.signature(self.fn).parameters.values())[1:]
        if any(each.kind == each.VAR_KEYWORD for each in parameters):
            return None
        return [
            each.name for each in parameters if each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        ]


_DEFINED: dict[tuple[str, str], Definition] = {}


def workflow(
    name: str,
    *,
    version: str = "1",
    max_events: int | None = 10_000,
    execution_timeout: Duration | None = None,
    step_timeout: Duration = "5m",
    secrets: tuple[str, ...] = (),
) -> Callable[[Callable[..., Any]], Definition]:
    """Make a plain function `fn(ctx, …)` a workflow of this name and version."""
    if hasattr(name, "__code__"):  # Written without parentheses.
        raise DefinitionError(f'@workflow needs a name, which its runs keep: @workflow("{_suggested(name)}")')
    if not _fits(name, NAME):
        raise DefinitionError(
            f"@workflow(\"name\"): a name has 1 to 100 ASCII letters, digits, '_', '.' or '-', not {name!r}"
        )
    what = f"workflow {name!r}"
    if not _fits(version, VERSION):
        raise DefinitionError(f"{what}: version is text of 1 to 50 letters, digits, '_.+-', not {version!r}")
    timeout_ms = (
        None if execution_timeout is None else exact_ms(execution_timeout, f"{what}: execution_timeout")
    )
    step_ms = duration_ms(step_timeout, f"{what}: step_timeout")
    if timeout_ms == 0 or step_ms == 0:
        raise DefinitionError(f"{what}: execution_timeout and step_timeout must be more than 0")

    def define(fn: Callable[..., object]) -> Definition:
        _refuse_unfit(fn, what, secrets)
        return _register(
            Definition(
                name=name,
                version=version,
                fn=fn,
                max_events=_checked_events(max_events, what),
                execution_timeout_ms=timeout_ms,
                step_timeout_ms=step_ms,
                secrets=tuple(secrets),
                description=inspect.getdoc(fn) or "",
                fingerprint=_fingerprint(fn),
            )
        )

    return define


def _suggested(fn: Any) -> str:
    return str(fn.__name__).replace("_", "-")


def definitions() -> Mapping[tuple[str, str], Definition]:
    """Every workflow that was defined in this process, by name and version."""
    return MappingProxyType(_DEFINED)


def definition(name: str, version: str | None = None) -> Definition:
    """A workflow by name and version, without one the latest; LookupError when there is none."""
    versions = [each for (named, _), each in _DEFINED.items() if named == name]
    if not versions:
        raise LookupError(f"no workflow {name!r} is defined here")
    if version is None:
        return max(versions, key=lambda each: version_order(each.version))
    for each in versions:
        if each.version == version:
            return each
    there = ", ".join(sorted(each.version for each in versions))
    raise LookupError(f"workflow {name!r} has no version {version!r} here; there is {there}")


def version_order(version: str) -> tuple[tuple[int, str], ...]:
    """A key that sorts versions: numbers in them by value, "1.9" before "1.10"."""
    return tuple(
        (int(part), "") if part.isdigit() else (-1, part) for part in re.findall(r"\d+|\D+", version)
    )


def _checked_events(max_events: object, what: str) -> int | None:
    if max_events is None or (type(max_events) is int and 1 <= max_events <= MOST_EVENTS):
        return max_events
    raise DefinitionError(
        f"{what}: max_events is a whole number from 1 to {MOST_EVENTS} or None, not {max_events!r}"
    )


def _fits(given: object, pattern: re.Pattern[str]) -> bool:
    return isinstance(given, str) and pattern.fullmatch(given) is not None


def _refuse_unfit(fn: Callable[..., Any], what: str, secrets: Any) -> None:
    if not inspect.isfunction(fn):
        raise DefinitionError(f"{what} is made of a function, not of {fn!r}")
    if inspect.iscoroutinefunction(fn) or inspect.isasyncgenfunction(fn) or inspect.isgeneratorfunction(fn):
        raise DefinitionError(
            f"{what}: {fn.__qualname__} must be a plain function (def, neither async def nor yield): "
            "ctx.step(…) gives the result itself, nothing is awaited"
        )
    parameters = inspect.signature(fn).parameters.values()
    if not any(each.kind in (*BY_POSITION, each.VAR_POSITIONAL) for each in parameters):
        raise DefinitionError(f"{what}: {fn.__qualname__} must take ctx as its first parameter")
    names = {each.name for each in parameters}
    if isinstance(secrets, str) or not names.issuperset(secrets):
        raise DefinitionError(
            f"{what}: secrets must be names of parameters of {fn.__qualname__}, not {secrets!r}"
        )


def _register(made: Definition) -> Definition:
    known = _DEFINED.get((made.name, made.version))
    if known and _place(known.fn) != _place(made.fn):
        raise DefinitionError(
            f"workflow {made.name!r} version {made.version!r} is defined twice: "
            f"{_place(known.fn)} and {_place(made.fn)}"
        )
    _DEFINED[made.name, made.version] = made
    return made


def _place(fn: Callable[..., object]) -> str:
    return f"{fn.__module__}:{fn.__qualname__}"


def _fingerprint(fn: Callable[..., object]) -> str:
    """A hash of the source text around a function; of its code where there is no source."""
    source = getattr(sys.modules.get(fn.__module__), "__file__", None)
    try:
        text = Path(source or fn.__code__.co_filename).read_bytes()
    except OSError:
        text = fn.__code__.co_code + repr(fn.__code__.co_consts).encode()
    return hashlib.sha256(text).hexdigest()[:16]

"""Steps as an author writes them: a function, its options, and the call that is made of them."""

import importlib
import inspect
import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar, overload

from windlass.calls import Call, StepOptions
from windlass.durations import Duration, duration_ms, exact_ms
from windlass.failures import DefinitionError

F = TypeVar("F", bound=Callable[..., object])

log = logging.getLogger("windlass")

MARK = "__windlass_step__"
OPTIONS = ("retries", "retry_delay", "timeout", "undo", "at_most_once", "on_error")
MOST_RETRIES = 1_000
LONGEST_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Marked:
    """What `@step` says about a function."""

    name: str
    options: StepOptions


@overload
def step(fn: F, /) -> F: ...


@overload
def step(
    name: str | None = None,
    /,
    *,
    retries: int | None = None,
    retry_delay: Duration | None = None,
    timeout: Duration | None = None,
    undo: Callable[..., object] | None = None,
    at_most_once: bool | None = None,
    on_error: Callable[[Exception], object] | None = None,
) -> Callable[[F], F]: ...


def step(fn: object = None, /, **given: object) -> Any:
    """Give a function the options that `ctx.step(fn, …)` does it with; it stays the function it is."""
    if callable(fn) and not given:
        return step()(fn)

    def mark(body: F) -> F:
        name = checked_name(fn if fn is not None else body.__name__)
        setattr(body, MARK, Marked(name=name, options=_changed(StepOptions(), name, given)))
        return body

    return mark


def step_call(
    name: str | Callable[..., object], rest: Sequence[object], given: Mapping[str, object], timeout_ms: int
) -> Call:
    """The call that `ctx.step(name, fn, *args, **given)` or `ctx.step(fn, *args, **given)` asks for."""
    fn, args = (name, tuple(rest)) if callable(name) else (rest[0] if rest else None, tuple(rest[1:]))
    if not callable(fn):
        raise DefinitionError(f"step {name!r} needs a function, not {fn!r}: ctx.step(name, fn, *args)")
    marked: Marked | None = getattr(fn, MARK, None)
    if callable(name):
        name = marked.name if marked else _name_of(fn)
    if inspect.iscoroutinefunction(fn) or inspect.isgeneratorfunction(fn):
        raise DefinitionError(f"step {name!r}: a step is a plain function, neither async nor a generator")
    asked = {option: given[option] for option in OPTIONS if given.get(option) is not None}
    if asked:
        _refuse_clash(str(name), fn, asked)
    options = _changed(_timed(marked.options, timeout_ms) if marked else _plain(timeout_ms), str(name), asked)
    kwargs = {key: value for key, value in given.items() if key not in OPTIONS}
    return Call(name=checked_name(name), kind="task", fn=fn, args=args, kwargs=kwargs, options=options)


def _name_of(fn: object) -> str:
    name = getattr(fn, "__name__", "<lambda>")
    if name == "<lambda>":
        raise DefinitionError(f"{fn!r} has no name of its own: ctx.step(name, fn, *args)")
    return str(name)


def checked_name(name: object) -> str:
    """The name of a call, if it is one."""
    if not isinstance(name, str) or not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise DefinitionError(f"a name has 1 to {LONGEST_NAME} printable characters, not {name!r:.300}")
    if name.startswith("#"):
        raise DefinitionError(f"a name does not begin with '#': {name!r}")
    return name


def target_of(fn: Callable[..., object]) -> str | None:
    """Return "module:qualname" of a function at the top of a module (or of a class there), else None."""
    target = f"{getattr(fn, '__module__', None)}:{getattr(fn, '__qualname__', None)}"
    try:
        return target if _at(sys.modules[target.partition(":")[0]], target) is fn else None
    except (KeyError, AttributeError):
        return None


def resolve(target: str) -> Callable[..., Any]:
    """The function at "module:qualname"; DefinitionError when there is none."""
    try:
        found = _at(importlib.import_module(target.partition(":")[0]), target)
    except (ImportError, AttributeError, ValueError) as error:
        raise DefinitionError(f"there is no function {target!r} here: {error}") from None
    if not callable(found):
        raise DefinitionError(f"{target!r} is not a function")
    return found  # type: ignore[no-any-return]


def _at(module: object, target: str) -> Any:
    found = module
    for part in target.partition(":")[2].split("."):
        found = getattr(found, part)
    return found


def _refuse_clash(name: str, fn: Callable[..., object], asked: Mapping[str, object]) -> None:
    """An option is an option: a function with a parameter of that name cannot be meant by it."""
    try:
        parameters = inspect.signature(fn).parameters
    except (TypeError, ValueError):  # Some built-in functions do not tell.
        return
    for option in asked:
        if option in parameters and parameters[option].kind is not inspect.Parameter.POSITIONAL_ONLY:
            raise DefinitionError(
                f"step {name!r}: {option!r} is an option of the step and a parameter of its function: "
                "pass the parameter by position, or bind it with functools.partial"
            )
    if any(each.kind is inspect.Parameter.VAR_KEYWORD for each in parameters.values()):
        _warn(name, ", ".join(asked))


@lru_cache(maxsize=1024)
def _warn(name: str, options: str) -> None:
    """Say once what a function that takes any keyword is not given."""
    log.warning(
        "step %r: %s set the step and do not reach its function: bind them with functools.partial",
        name,
        options,
    )


@lru_cache(maxsize=1024)
def _plain(timeout_ms: int) -> StepOptions:
    """The options of most steps: made once, for a replay makes thousands of calls."""
    return StepOptions(timeout_ms=timeout_ms)


def _timed(options: StepOptions, timeout_ms: int) -> StepOptions:
    """The options with the workflow's timeout, if they have none of their own."""
    return options if options.timeout_ms is not None else replace(options, timeout_ms=timeout_ms)


def _changed(options: StepOptions, name: str, asked: Mapping[str, object]) -> StepOptions:
    """The options with those that were asked for, each one checked."""
    if not asked:
        return options
    checks: dict[str, tuple[str, Callable[[Any, str], object]]] = {
        "retries": ("retries", _retries),
        "retry_delay": ("retry_delay_ms", exact_ms),
        "timeout": ("timeout_ms", _timeout),
        "undo": ("undo", _undo),
        "at_most_once": ("at_most_once", _flag),
        "on_error": ("on_error", _callback),
    }
    changes: dict[str, Any] = {}
    for option, value in asked.items():
        if option not in checks:
            raise DefinitionError(
                f"step {name!r}: there is no option {option!r}; there are {', '.join(OPTIONS)}"
            )
        if value is not None:
            field, check = checks[option]
            changes[field] = check(value, f"step {name!r}: {option}")
    changed = replace(options, **changes)
    if changed.at_most_once and changed.retries:
        raise DefinitionError(f"step {name!r}: at_most_once and retries exclude each other")
    return changed


def _retries(value: object, what: str) -> int:
    if type(value) is not int or not 0 <= value <= MOST_RETRIES:
        raise DefinitionError(f"{what} is a whole number from 0 to {MOST_RETRIES}, not {value!r}")
    return value


def _timeout(value: Any, what: str) -> int:
    ms = duration_ms(value, what)
    if ms == 0:
        raise DefinitionError(f"{what} must be more than 0")
    return ms


def _flag(value: object, what: str) -> bool:
    if not isinstance(value, bool):
        raise DefinitionError(f"{what} is True or False, not {value!r}")
    return value


def _callback(value: Any, what: str) -> Callable[[Exception], object]:
    if not callable(value) or inspect.iscoroutinefunction(value):
        raise DefinitionError(f"{what} is a plain function of the error, not {value!r}")
    return value  # type: ignore[no-any-return]


def _undo(value: object, what: str) -> str:
    target = target_of(value) if callable(value) and not inspect.iscoroutinefunction(value) else None
    if target is None:
        raise DefinitionError(
            f"{what} is a plain function at the top of a module, where any worker finds it, not {value!r}"
        )
    return target

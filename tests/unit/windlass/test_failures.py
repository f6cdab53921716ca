"""What a step raises is kept as facts, and comes back as an error that can be caught by its own type."""

from typing import Any
from urllib.error import HTTPError

import pytest

from tests.unit.windlass.book import Book, advance
from windlass.calls import Call, Returned
from windlass.context import Context
from windlass.failures import ChildFailed, SignalTimeout, StepFailed, StepTimedOut, facts_of, rebuilt

STEP = Call(name="pay", kind="task", key="pay#2")


class Childless(Exception):
    """A type that allows no heirs."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        raise RuntimeError("no heirs")


class Posed(Exception):
    """A type whose attributes clash with those of a step's error."""

    @property
    def message(self) -> str:
        return "mine"

    @property
    def code(self) -> int:
        return 42


class Nameless(Exception):
    """A type whose message cannot be written."""

    def __str__(self) -> str:
        raise ValueError("no words")


def back(error: BaseException) -> StepFailed:
    """The error, kept and built anew."""
    made = rebuilt(STEP, facts_of(error))
    assert isinstance(made, StepFailed)
    return made


@pytest.mark.parametrize(
    "error",
    [
        ValueError("plain"),
        KeyError("quoted"),
        OSError(2, "no such file"),
        ConnectionResetError("gone"),
        UnicodeDecodeError("utf-8", b"x", 0, 1, "bad"),
        HTTPError("http://x", 404, "Not Found", {}, None),  # type: ignore[arg-type]
        Posed("posed"),
        ModuleNotFoundError("no module", name="x"),
        StopIteration("end"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_comes_back_as_its_own_type_with_its_message(error: Exception) -> None:
    made = back(error)
    assert issubclass(type(made), type(error))
    recorded = (made.facts["message"], made.key, made.facts["code"])
    assert (str(made), *recorded) == (str(error), str(error), "pay#2", "STEP_FAILED")
    assert type(made).__name__ == type(error).__name__


def test_an_error_whose_type_cannot_be_part_of_another_is_a_failed_step_all_the_same() -> None:
    class Local(Exception):
        """Nobody else can find it."""

    for error in (Childless("a"), Local("a"), SystemExit("a"), ExceptionGroup("a", [ValueError()])):
        assert type(back(error)) is StepFailed
    assert back(Childless("a")).type == f"{__name__}:Childless"


def test_a_message_is_kept_as_text_that_can_be_stored() -> None:
    assert str(back(ValueError("a\0b\ud800c"))) == "a\ufffdb\ufffdc"
    assert len(str(back(ValueError("x" * 20_000)))) == 10_000
    assert "could not be written: ValueError" in str(back(Nameless()))


class Refused(Exception):
    """An error with attributes of its own, some under the names of recorded facts."""

    code = "E_REFUSED"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.details, self.reason, self.attempts = "out of stock", "stock", 3
        self.response, self.longer, self._private = object(), "x" * 1_001, "p"


def test_plain_attributes_of_an_error_survive() -> None:
    made: Any = back(Refused("no"))
    assert (made.code, made.reason, made.attempts, made.details) == ("E_REFUSED", "stock", 3, "out of stock")
    assert (made.facts["code"], made.facts["message"]) == ("STEP_FAILED", "no")
    assert not any(hasattr(made, name) for name in ("response", "longer", "_private"))


@pytest.mark.parametrize(
    ("error", "name", "value"),
    [
        (OSError(2, "no such file"), "errno", 2),
        (HTTPError("http://x", 404, "Not Found", {}, None), "code", 404),  # type: ignore[arg-type]
        (Posed("posed"), "code", 42),
        (Posed("posed"), "message", "mine"),
    ],
)
def test_an_attribute_of_the_steps_own_type_comes_before_a_fact(
    error: Exception, name: str, value: object
) -> None:
    assert getattr(back(error), name) == value


def test_a_timeout_is_one_by_either_name() -> None:
    made = back(TimeoutError("too slow"))
    assert isinstance(made, StepTimedOut) and isinstance(made, TimeoutError)
    assert made.code == "STEP_TIMED_OUT"


def test_what_waits_raise_says_what_they_waited_for() -> None:
    late = rebuilt(Call(name="go", kind="signal", key="go#3"), {"code": "SIGNAL_TIMEOUT", "message": "late"})
    assert isinstance(late, SignalTimeout) and (late.name, late.key) == ("go", "go#3")
    facts = {"code": "X", "message": "no", "details": {"runId": "run_2", "status": "cancelled"}}
    failed = rebuilt(Call(name="c", kind="child", key="c"), facts)
    assert isinstance(failed, ChildFailed) and (failed.run_id, failed.status) == ("run_2", "cancelled")


@pytest.mark.parametrize("broken", [ValueError("again"), SystemExit(3)])
def test_whatever_a_callback_raises_the_error_of_the_step_stands(broken: BaseException) -> None:
    def complain(error: Exception) -> None:
        raise broken

    def fail() -> None:
        raise KeyError("lost")

    def flow(ctx: Context) -> str:
        try:
            ctx.step("fetch", fail, on_error=complain)
        except KeyError as error:
            return str(error)
        return "fine"

    assert advance(flow, Book()) == Returned("'lost'")

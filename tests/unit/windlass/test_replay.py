"""A function is called from the top; what history knows is not done again."""

import threading
from contextlib import suppress
from typing import Any

import pytest

from tests.support.growth import is_linear
from tests.unit.windlass.book import INFO, Book, advance
from windlass.calls import Diverged, Memo, Raised, Restarted, Returned, Suspended
from windlass.context import Context
from windlass.failures import ChildFailed, Misuse, Nondeterminism, OutcomeUnknown, StepFailed
from windlass.replay import find, resolve, undo
from windlass.workflow import Definition


class Rejected(Exception):
    """A type that needs more than a message."""

    def __init__(self, reason: str, number: int) -> None:
        super().__init__(reason)
        self.number = number


def reject() -> None:
    raise Rejected("too expensive", 7)


def double(number: int) -> int:
    return 2 * number


def test_a_step_that_history_knows_is_not_done_again() -> None:
    book = Book()

    def flow(ctx: Context) -> int:
        return int(ctx.step("double", double, 4) + ctx.step("double", double, 1))

    assert advance(flow, book) == advance(flow, book) == Returned(10)
    assert book.done == ["double", "double#2"]


def test_a_failed_step_is_both_a_failed_step_and_its_own_error_the_first_time_and_on_replay() -> None:
    book = Book()
    seen: list[Any] = []

    def flow(ctx: Context) -> None:
        try:
            ctx.step("pay", reject)
        except Rejected as error:
            failed: Any = error
            assert isinstance(failed, StepFailed)
            seen.append((str(failed), failed.key, failed.code, failed.type))

    assert advance(flow, book) == advance(flow, book) == Returned(None)
    assert seen == [("too expensive", "pay", "STEP_FAILED", f"{__name__}:Rejected")] * 2
    assert book.done == ["pay"]


def test_an_error_that_leaves_the_function_keeps_its_type_message_and_step() -> None:
    def flow(ctx: Context) -> None:
        ctx.step("pay", reject)

    outcome = advance(flow, Book())
    assert isinstance(outcome, Raised)
    assert outcome.error["code"] == "WORKFLOW_FAILED"
    assert outcome.error["message"] == "Rejected: too expensive"
    details = dict(outcome.error["details"])
    assert "Rejected" in details.pop("stack")
    assert details == {"type": f"{__name__}:Rejected", "step": "pay"}


def test_retries_are_attempts_after_the_first_and_the_callback_is_told_once() -> None:
    book = Book()
    told: list[Exception] = []

    def flow(ctx: Context) -> None:
        ctx.step("pay", reject, retries=3, on_error=told.append)

    outcome = advance(flow, book)
    assert isinstance(outcome, Raised) and "too expensive" in outcome.error["message"]
    assert book.done == ["pay"] * 4
    assert [str(error) for error in told] == ["too expensive"]


def test_a_callback_that_fails_does_not_mask_the_error() -> None:
    def flow(ctx: Context) -> None:
        ctx.step("pay", reject, on_error=lambda error: 1 / 0)

    outcome = advance(flow, Book())
    assert isinstance(outcome, Raised) and outcome.error["message"] == "Rejected: too expensive"


def test_what_must_not_run_twice_and_may_have_run_is_not_repeated() -> None:
    book = Book([Memo(ordinal=1, key="pay", kind="task", status="pending", attempt=1, unsure=True)])

    def flow(ctx: Context) -> str:
        try:
            return str(ctx.step("pay", double, 1, at_most_once=True))
        except OutcomeUnknown:
            return "look first"

    assert advance(flow, book) == advance(flow, book) == Returned("look first")
    assert book.done == []


def test_a_wait_suspends_until_history_knows_its_end() -> None:
    book = Book()

    def flow(ctx: Context) -> Any:
        return ctx.wait_for_signal("go")["why"]

    assert advance(flow, book) == Suspended()
    book.signals["go"] = {"why": "because"}
    assert advance(flow, book) == Returned("because")


def test_a_swallowed_suspension_never_gives_a_result() -> None:
    book = Book()

    def flow(ctx: Context) -> str:
        for _ in range(3):
            try:
                ctx.wait_for_signal("go")
            except BaseException:
                continue
        try:
            ctx.step("next", double, 1)
        finally:
            return "done"  # noqa: B012

    assert advance(flow, book) == Suspended()
    assert book.done == []


@pytest.mark.parametrize(
    ("flow", "call", "expected", "found"),
    [
        (lambda ctx: ctx.step("b", double, 1), 1, "step 'a'", "step 'b'"),
        (lambda ctx: ctx.sleep("1s"), 1, "step 'a'", "sleep 'sleep'"),
        (lambda ctx: None, 1, "step 'a'", "the end of the function"),
        (lambda ctx: ctx.step("a", double, 1), 2, "sleep 'sleep'", "the end of the function"),
        (lambda ctx: 1 / 0, 1, "step 'a'", "ZeroDivisionError: division by zero"),
        (lambda ctx: ctx.restart(), 1, "step 'a'", "ctx.restart"),
    ],
)
def test_code_that_is_not_the_code_of_its_history_diverges(
    flow: Any, call: int, expected: str, found: str
) -> None:
    step = Memo(ordinal=1, key="a", kind="task", status="completed", value=2)
    sleep = Memo(ordinal=2, key="sleep", kind="sleep", status="completed")
    book = Book([step, sleep])
    assert advance(flow, book) == Diverged(call, expected, found)
    assert book.done == []


def test_a_divergence_that_is_swallowed_is_told_all_the_same() -> None:
    def flow(ctx: Context) -> str:
        with suppress(BaseException):
            ctx.step("b", double, 1)
        return "fine"

    book = Book([Memo(ordinal=1, key="a", kind="task", status="completed", value=2)])
    assert advance(flow, book) == Diverged(1, "step 'a'", "step 'b'")


def test_an_error_of_the_host_is_not_an_error_of_a_step() -> None:
    class Broken(Book):
        def complete(self, call: Any, value: Any) -> None:
            raise ConnectionError("the database is away")

    def flow(ctx: Context) -> str:
        try:
            ctx.step("double", double, 1)
        except Exception:
            return "handled"
        return "done"

    with pytest.raises(ConnectionError, match="the database is away"):
        advance(flow, Broken())


def test_parallel_gives_results_in_the_order_of_its_calls() -> None:
    def flow(ctx: Context) -> list[int]:
        return ctx.parallel([ctx.call("double", double, n) for n in range(4)], limit=3)

    book = Book()
    assert advance(flow, book) == advance(flow, book) == Returned([0, 2, 4, 6])
    assert [call.key for call in book.calls] == ["double", "double#2", "double#3", "double#4"]


def test_parallel_raises_the_first_failure_in_the_order_of_its_calls() -> None:
    failed = {"code": "CHILD_FAILED", "message": "no", "details": {"runId": "run_2", "status": "cancelled"}}
    book = Book(
        [
            Memo(ordinal=1, key="a", kind="task", status="completed", value=1),
            Memo(ordinal=2, key="b", kind="child", status="failed", error=failed),
            Memo(ordinal=3, key="c", kind="task", status="failed", error={"message": "later"}),
        ]
    )

    def flow(ctx: Context) -> Any:
        try:
            ctx.parallel([ctx.call("a", double, 1), ctx.child("b"), ctx.call("c", double, 1)])
        except ChildFailed as error:
            return [error.run_id, error.status, str(error)]

    assert advance(flow, book) == Returned(["run_2", "cancelled", "no"])


def test_a_call_that_another_process_can_do_names_its_function() -> None:
    def flow(ctx: Context) -> Any:
        local = ctx.call("local", lambda: 1)
        lossy = ctx.call("lossy", double, (1,))
        return ctx.parallel([ctx.call("module", double, 2), local, lossy])

    book = Book()
    advance(flow, book)
    assert [call.target for call in book.calls] == [f"{__name__}:double", None, None]
    assert book.calls[0].input == {"args": [2], "kwargs": {}}
    assert resolve(f"{__name__}:double") is double


def test_a_closure_is_found_by_replaying_up_to_it() -> None:
    def flow(ctx: Context, factor: int) -> Any:
        start = ctx.step("start", double, 1)
        return ctx.parallel([ctx.call(f"times-{n}", lambda n=n: start * n * factor) for n in (1, 2)])

    book = Book([Memo(ordinal=1, key="start", kind="task", status="completed", value=2)])
    made = Definition(name="flow", fn=flow)
    call = find(made, [10], {}, book.memos(), book, INFO, "times-2")
    assert (call.ordinal, call.fn and call.fn()) == (3, 40)
    with pytest.raises(Nondeterminism, match="times-3"):
        find(made, [10], {}, book.memos(), book, INFO, "times-3")
    assert book.done == []


def test_restart_ends_the_run_with_fresh_arguments() -> None:
    def flow(ctx: Context, n: int) -> None:
        ctx.restart(n + 1, note=(1, 2))

    assert advance(flow, Book(), 1) == Restarted([2], {"note": [1, 2]})


def test_ctx_belongs_to_the_thread_and_the_time_of_its_function() -> None:
    kept: list[Context] = []
    errors: list[BaseException] = []

    def elsewhere(ctx: Context) -> None:
        with pytest.raises(Misuse, match="another thread") as raised:
            ctx.now()
        errors.append(raised.value)

    def flow(ctx: Context) -> None:
        kept.append(ctx)
        thread = threading.Thread(target=elsewhere, args=(ctx,))
        thread.start()
        thread.join()
        with pytest.raises(StepFailed, match="inside step 'nested'"):
            ctx.step("nested", lambda: ctx.step("inner", double, 1))

    assert advance(flow, Book()) == Returned(None)
    assert errors
    with pytest.raises(Misuse, match="after its workflow function"):
        kept[0].sleep("1s")


def test_the_time_of_a_replay_grows_with_its_history_and_no_faster() -> None:
    books: dict[int, Book] = {}

    def replayed(count: int) -> None:
        def flow(ctx: Context) -> int:
            return sum(ctx.step("double", double, n) for n in range(count))

        book = books.setdefault(count, Book())
        assert advance(flow, book) == Returned(count * (count - 1))
        assert len(book.done) == count

    assert is_linear(replayed, 60)


UNDONE: list[Any] = []


def take_back(number: int, result: Any = "?") -> None:
    UNDONE.append((number, result))


def test_undo_is_called_with_the_arguments_of_its_step_and_its_result() -> None:
    book = Book()

    def flow(ctx: Context) -> None:
        ctx.step("double", double, 4, undo=take_back)

    advance(flow, book)
    call = book.calls[0]
    assert call.options.undo == f"{__name__}:take_back" and call.input
    undo(call.options.undo, call.input, 8, book.unseal)
    assert UNDONE == [(4, 8)]


def test_values_are_the_same_on_every_replay() -> None:
    seen: list[Any] = []

    def flow(ctx: Context) -> None:
        seen.append((ctx.now(), ctx.uuid(), ctx.random(), ctx.is_replaying))

    book = Book()
    advance(flow, book)
    advance(flow, book)
    assert seen[0] == seen[1]
    assert seen[0][0].isoformat() == "2023-11-14T22:13:20+00:00"

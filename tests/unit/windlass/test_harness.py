"""An author's harness: the same replay, in memory, without waiting."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from windlass import (
    ChildFailed,
    Context,
    Misuse,
    Nondeterminism,
    NotStorable,
    Secret,
    SignalTimeout,
    workflow,
)
from windlass.testing import Event, Harness, RunFailed, Stuck, survives

DONE: list[str] = []


class Rejected(Exception):
    """Somebody said no."""


def note(what: str) -> str:
    DONE.append(what)
    return what


def forget(what: str, result: Any = None) -> None:
    DONE.append(f"undo {what} {result}")


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    DONE.clear()


@workflow("harness-approval")
def approval(ctx: Context, document: str) -> Any:
    ctx.step("draft", note, document, undo=forget)
    checks = ctx.parallel([ctx.call(f"check-{n}", note, f"check {n}") for n in range(3)])
    decision = ctx.wait_for_signal("approval", timeout="3d")
    if not decision["approved"]:
        raise Rejected(decision["reason"])
    ctx.sleep("1s")
    return {"checks": checks, "child": ctx.run_child("harness-publish", document)}


@workflow("harness-publish")
def publish(ctx: Context, document: str) -> str:
    return f"{document} by {ctx.parent_run_id}"


def test_three_days_pass_at_once() -> None:
    with Harness() as h:
        began = h.now
        run = h.start(approval, "doc-1")
        assert run.waiting == ("signal 'approval'",)
        with pytest.raises(RunFailed, match="no signal 'approval' came within 3 d"):
            run.result()
        assert h.now - began == timedelta(days=3)
        assert (run.status, run.undone) == ("failed", ("draft",))
    assert DONE[-1] == "undo doc-1 doc-1"


def test_a_signal_lets_the_run_go_on_and_the_child_give_its_result() -> None:
    with Harness() as h:
        run = h.start(approval, "doc-1", run_id="mine")
        run.signal("approval", {"approved": True})
        expected = {"checks": ["check 0", "check 1", "check 2"], "child": "doc-1 by mine"}
        assert run.result() == expected
        assert [child.status for child in run.children] == ["completed"]
    assert DONE == ["doc-1", "check 0", "check 1", "check 2"]


def test_a_failure_names_the_error_and_undoes_what_was_done() -> None:
    with Harness() as h:
        run = h.start(approval, "doc-1")
        run.signal("approval", {"approved": False, "reason": "too long"})
        with pytest.raises(RunFailed, match="Rejected: too long"):
            run.result()
        assert run.undone == ("draft",)


def test_a_workflow_survives_a_kill_at_every_commit() -> None:
    def story(h: Harness) -> Any:
        run = h.start(approval, "doc-1")
        run.signal("approval", {"approved": True})
        result = run.result()
        return result["checks"]

    assert survives(story) == ["check 0", "check 1", "check 2"]


def test_a_workflow_that_does_not_survive_is_told_so() -> None:
    def story(h: Harness) -> Any:
        count: list[int] = []

        @workflow("harness-impure", version=str(id(count)))
        def impure(ctx: Context) -> int:
            count.append(1)
            ctx.sleep("1s")
            return len(count)

        return h.start(impure).result()

    with pytest.raises(AssertionError, match="killed before commit 1 of 2"):
        survives(story)


def test_code_that_is_not_deterministic_is_caught_in_its_first_test() -> None:
    passes: list[int] = []

    @workflow("harness-drifts")
    def drifts(ctx: Context) -> None:
        passes.append(1)
        ctx.step(f"pass-{len(passes)}", note, "x")
        ctx.step("last", note, "y")

    with Harness() as h:
        run = h.start(drifts)
        with pytest.raises(Nondeterminism, match=r"at call 1 history has step 'pass-1', .* step 'pass-2'"):
            run.result()
        assert run.status == "blocked"


def test_retries_wait_for_their_delay_and_stubs_take_the_place_of_steps() -> None:
    answers: list[Any] = [ConnectionError("away"), ConnectionError("away"), "here"]

    def answer(*_: Any) -> Any:
        one = answers.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    @workflow("harness-retries")
    def retrying(ctx: Context) -> Any:
        return ctx.step("fetch", note, "real", retries=3, retry_delay="1h")

    with Harness() as h:
        h.stub("fetch", answer)
        began = h.now
        run = h.start(retrying)
        assert run.result() == "here"
        assert (h.now - began, run.step("fetch").attempts) == (timedelta(hours=2), 3)
    assert DONE == []


def test_a_stub_takes_the_place_of_a_child_that_is_not_there() -> None:
    @workflow("harness-stubbed-children")
    def calling(ctx: Context) -> Any:
        try:
            return [ctx.run_child("elsewhere", 2), ctx.run_child("elsewhere", 3), ctx.run_child("broken")]
        except ChildFailed as error:
            return str(error)

    with Harness() as h:
        h.stub("broken", None)
        h.stub("elsewhere", lambda n: n * 10)
        h.stub("elsewhere#2", {"n": 3})
        assert h.start(calling).result() == [20, {"n": 3}, None]
        h.stub("broken", Rejected("not today"))
        assert h.start(calling).result() == "Rejected: not today"


def test_a_member_of_parallel_is_retried_by_itself() -> None:
    answers: list[Any] = [TimeoutError("slow"), "ok"]

    def answer(*_: Any) -> Any:
        one = answers.pop(0)
        if isinstance(one, Exception):
            raise one
        return one

    @workflow("harness-members")
    def members(ctx: Context) -> Any:
        other = ctx.call("other", lambda: 1)
        return ctx.parallel([ctx.call("slow", note, "x", retries=1, retry_delay="1m"), other])

    with Harness() as h:
        h.stub("slow", answer)
        assert h.start(members).result() == ["ok", 1]


def test_signals_are_kept_in_order_until_somebody_reads_them() -> None:
    @workflow("harness-signals")
    def reading(ctx: Context) -> Any:
        ctx.sleep("1h")
        return [
            ctx.wait_for_signal("go"),
            ctx.wait_for_signal("go"),
            ctx.wait_for_signal("no", timeout="1h", default=0),
        ]

    with Harness() as h:
        run = h.start(reading)
        run.signal("go", 1)
        run.signal("go", 2)
        assert run.result() == [1, 2, 0]
        with pytest.raises(Misuse, match="takes no signal"):
            run.signal("go", 3)


def test_a_run_that_waits_for_nobody_says_what_for() -> None:
    @workflow("harness-stuck")
    def waiting(ctx: Context) -> Any:
        return ctx.wait_for_signal("never")

    with Harness() as h, pytest.raises(Stuck, match="waits for signal 'never'"):
        h.start(waiting).result()


def test_hooks_are_executed_once_with_their_token() -> None:
    @workflow("harness-hook")
    def hooked(ctx: Context) -> Any:
        hook = ctx.create_hook("approve", "yes-or-no", {"document": 1})
        ctx.step("send", note, hook.token)
        return ctx.wait_for_hook(hook)

    with Harness() as h:
        run = h.start(hooked)
        token = run.token("approve")
        assert [token] == DONE
        h.execute_hook(token, {"approved": True})
        assert run.result() == {"approved": True}
        with pytest.raises(Misuse):
            h.execute_hook(token)
        with pytest.raises(LookupError):
            h.execute_hook("token-x")


def test_a_wait_for_a_hook_is_ended_by_its_own_token_alone() -> None:
    @workflow("harness-two-hooks")
    def asks(ctx: Context) -> Any:
        yes, no = ctx.create_hook("approve", "yes"), ctx.create_hook("approve", "no")
        ctx.step("send", lambda: DONE.extend([yes.token, no.token]))
        return [ctx.wait_for_hook(yes), ctx.wait_for_hook(no)]

    with Harness(replays=False) as h:
        run = h.start(asks)
        h.execute_hook(DONE[1], "rejected")
        run.signal("approve", "forged")
        assert (run.status, len(run.waiting)) == ("running", 1)
        h.execute_hook(DONE[0], "approved")
        assert run.result() == ["approved", "rejected"]


def test_signals_go_with_a_run_that_goes_on_afresh() -> None:
    @workflow("harness-adds-up")
    def adds(ctx: Context, total: int, left: int) -> Any:
        if left == 3:
            ctx.wait_for_signal("go")
        total += ctx.wait_for_signal("add")
        if left > 1:
            ctx.restart(total, left - 1)
        return total

    def story(h: Harness) -> Any:
        run = h.start(adds, 0, 3)
        for number in (1, 2, 3):
            run.signal("add", number)
        run.signal("go")
        return run.result()

    assert survives(story) == 6


def test_a_child_that_fails_is_an_error_that_can_be_handled() -> None:
    @workflow("harness-bad-child")
    def bad(ctx: Context) -> None:
        ctx.step("pay", note, "paid", undo=forget)
        raise Rejected("no")

    @workflow("harness-parent")
    def parent(ctx: Context) -> str:
        try:
            ctx.run_child(bad)
        except ChildFailed as error:
            return f"{error.run_id} {error.status} {error}"
        return "fine"

    with Harness() as h:
        assert h.start(parent).result() == "run_2 failed Rejected: no"
    assert DONE == ["paid", "undo paid paid"]


def test_cancelling_undoes_and_stops_children() -> None:
    @workflow("harness-sleeper")
    def sleeper(ctx: Context) -> None:
        ctx.sleep("1h")

    @workflow("harness-cancelled")
    def cancelled(ctx: Context) -> None:
        ctx.step("pay", note, "paid", undo=forget)
        ctx.run_child(sleeper)

    with Harness() as h:
        run = h.start(cancelled)
        run.cancel()
        assert (run.status, run.undone, run.children[0].status) == ("cancelled", ("pay",), "cancelled")


def test_restart_goes_on_as_a_fresh_run_and_the_parent_waits_for_that() -> None:
    @workflow("harness-loop")
    def loop(ctx: Context, n: int) -> int:
        ctx.step("work", note, f"{n}")
        if n < 3:
            ctx.restart(n + 1)
        return n

    @workflow("harness-loops")
    def loops(ctx: Context) -> Any:
        return ctx.run_child(loop, 1)

    with Harness() as h:
        assert h.start(loop, 0).result() == 3
        assert h.start(loops).result() == 3


def test_a_run_with_too_many_events_fails() -> None:
    @workflow("harness-runaway", max_events=10)
    def runaway(ctx: Context) -> None:
        while True:
            ctx.step("again", note, "again")

    with Harness() as h:
        run = h.start(runaway)
        assert run.finish().error == {
            "code": "MAX_EVENTS_EXCEEDED",
            "message": "the run has more than 10 events, which is its limit (max_events)",
        }


def test_events_of_the_author_stand_among_those_of_the_run() -> None:
    @workflow("harness-events")
    def emitting(ctx: Context) -> None:
        ctx.emit("began", {"at": 1})
        ctx.step("work", note, "x")

    with Harness() as h:
        run = h.start(emitting).finish()
        assert run.events == (Event("began", {"at": 1}), Event("step.completed", "work"))


def test_a_secret_is_never_kept_in_clear() -> None:
    @workflow("harness-secret")
    def secretive(ctx: Context, password: Secret) -> Any:
        made: Secret = ctx.step("make", lambda: Secret(password.reveal() + "!"))
        return [repr(made), made]

    with Harness() as h:
        run = h.start(secretive, Secret("hunter2"))
        assert run.result() == ["Secret('***')", Secret("hunter2!")]
        kept = [(entry.args, entry.memos, entry.result) for entry in h.record.runs.values()]
        assert "hunter2" not in repr(kept)


def test_a_parameter_that_is_declared_a_secret_is_sealed_however_it_is_given() -> None:
    @workflow("harness-declared", secrets=("password", "token"))
    def declared(ctx: Context, user: str, password: Secret, *, token: Secret | None = None) -> Any:
        return [password.reveal(), token and token.reveal()]

    with Harness() as h:
        assert h.start(declared, "ada", "hunter2", token="t").result() == ["hunter2", "t"]
        assert h.start(declared, "ada", password="hunter2").result() == ["hunter2", None]
        assert "hunter2" not in repr([[*entry.args, entry.kwargs] for entry in h.record.runs.values()])
        with pytest.raises(NotStorable, match="password is a secret and must be text, not int"):
            h.start(declared, "ada", 5)


def test_the_time_of_a_timeout_can_be_handled() -> None:
    @workflow("harness-late")
    def late(ctx: Context) -> Any:
        try:
            ctx.wait_for_signal("go", timeout="10m")
        except SignalTimeout as error:
            return f"{error.name}: {ctx.now():%H:%M}"

    with Harness() as h:
        assert h.start(late).result() == "go: 00:10"


@workflow("harness-limited")
def limited(ctx: Any) -> Any:
    return ctx.parallel([ctx.child("harness-naps", n) for n in (60, 1, 1, 1)], limit=2)


@workflow("harness-naps")
def naps(ctx: Any, minutes: int) -> str:
    ctx.sleep(f"{minutes}m")
    return str(ctx.now().isoformat())


def test_the_next_of_a_limit_begins_when_one_has_ended() -> None:
    with Harness() as h:
        began = h.now
        ends = h.start(limited).result()
    after = [datetime.fromisoformat(each) - began for each in ends]
    assert after == [timedelta(minutes=minutes) for minutes in (60, 1, 2, 3)]

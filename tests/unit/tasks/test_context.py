"""The context: what a step may log, and what never gets into its log."""

from typing import Any, cast

import pytest

from app.auth.secrets import REDACTOR
from tasks.context import LOG_BYTES, Cancelled, Context


def context(*, cancelled: bool = False) -> Context:
    """A context that touches nothing."""
    nothing = cast(Any, None)
    return Context(
        run_id="run_1",
        type="server.inspect",
        step="read-hardware",
        phase="forward",
        attempt=2,
        fence=7,
        unsure=False,
        goal=None,
        triggered_by="usr_test",
        db=nothing,
        capabilities=nothing,
        cancelled=lambda: cancelled,
    )


def test_the_operation_id_is_the_same_for_every_attempt() -> None:
    assert context().operation_id == "run_1/forward/read-hardware"


def test_a_line_keeps_its_fields() -> None:
    ctx = context()

    ctx.log("sensor read", name="CPU", celsius=42)

    assert ctx.logs == [{"message": "sensor read", "fields": {"name": "CPU", "celsius": 42}}]


def test_what_is_too_much_is_cut_with_one_line_that_says_so() -> None:
    ctx = context()

    for _ in range(10):
        ctx.log("x" * (LOG_BYTES // 4))

    assert ctx.logs[-1]["message"].startswith("the log of this attempt is full")
    assert sum(line["message"].startswith("the log") for line in ctx.logs) == 1


def test_credentials_do_not_get_into_the_log() -> None:
    ctx = context()

    with REDACTOR.knowing("hunter2-and-more"):
        ctx.log("login with hunter2-and-more failed", password="hunter2-and-more", host="10.0.0.1")

    assert "hunter2" not in str(ctx.logs)
    assert ctx.logs[0]["fields"]["host"] == "10.0.0.1"


def test_a_long_body_hears_that_its_run_was_asked_to_stop() -> None:
    context(cancelled=False).check_cancelled()

    with pytest.raises(Cancelled):
        context(cancelled=True).check_cancelled()

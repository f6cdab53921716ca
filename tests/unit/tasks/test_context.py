"""The context: what a step may log, and what never gets into its log."""

from typing import Any, cast

import pytest

from app.auth.secrets import REDACTOR
from app.domain.errors import StepError, Unavailable
from tasks.context import LOG_BYTES, Cancelled, Context


class Answers:
    """A database that answers a write in this way."""

    def __init__(self, answer: bool | Exception) -> None:
        self._answer = answer

    def write(self, _work: object, **_how: object) -> bool:
        """The answer."""
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def context(*, cancelled: bool = False, db: Answers | None = None) -> Context:
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
        db=cast(Any, db),
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


def ordered(answer: bool | Exception, error: Exception | None = None) -> StepError | None:
    """Why an order was not sent, given what the database says and what went wrong before."""
    try:
        with context(db=Answers(answer)).before_order():
            if error:
                raise error
    except StepError as refused:
        return refused
    return None


def test_an_order_is_sent_once_its_intent_is_recorded() -> None:
    assert ordered(True) is None


@pytest.mark.parametrize(
    ("answer", "error"),
    [(False, None), (Unavailable("away"), None), (True, StepError("refused")), (True, Unavailable("away"))],
)
def test_whatever_fails_before_an_order_nothing_happened(
    answer: bool | Exception, error: Exception | None
) -> None:
    refused = ordered(answer, error)
    assert refused is not None and refused.nothing_happened


def test_a_worker_that_lost_its_step_does_not_try_again() -> None:
    refused = ordered(False)
    assert refused is not None and not refused.retryable

"""Errors: retries, a callback after the last attempt, and `except` around a step."""

import logging
from pathlib import Path
from typing import Any

from windlass import Context, StepFailed, workflow
from windlass.testing import Harness

log = logging.getLogger(__name__)


class Unreachable(Exception):
    """The other side does not answer."""


def potentially_failing_operation(tries: str, succeeds_at: int) -> int:
    """Note each try in a file, so that it counts whichever process makes it."""
    with Path(tries).open("a") as file:
        file.write("tried\n")
    count = len(Path(tries).read_text().splitlines())
    if count < succeeds_at:
        raise Unreachable(f"no answer to try {count}")
    return count


def alert(error: Exception) -> None:
    log.error("Step failed: %s", error)


@workflow("retrying")
def retrying(ctx: Context, given: dict[str, Any]) -> Any:
    tries = ctx.step(
        "retryable-step",
        potentially_failing_operation,
        given["file"],
        given["succeedsAt"],
        retries=3,  # So up to four attempts,
        retry_delay=1000,  # one second apart.
        on_error=alert,
    )
    return {"tries": tries}


@workflow("error-handling")
def error_handling(ctx: Context, given: dict[str, Any]) -> Any:
    try:
        ctx.step("risky-operation", potentially_failing_operation, given["file"], 99)
    except Unreachable as error:  # A step's error is of its own type, and a StepFailed.
        assert isinstance(error, StepFailed)
        ctx.emit("error", {"error": str(error), "timestamp": ctx.now().isoformat()})
        if given.get("goOn"):
            return {"handled": str(error)}
        raise


if __name__ == "__main__":
    with Harness() as h:
        print(h.start(error_handling, {"file": "/dev/null", "goOn": True}).result())

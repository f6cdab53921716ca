"""The code workflows of the chaos workload, as an author's module: `windlass worker --import flows`.

Each body leaves a mark when it begins: what it was given of the calls before it, and a value of its own that
becomes its result. So the marks show whether a result that a later body has seen is the one that was kept.
"""

import json
import os
import threading
import uuid
from pathlib import Path
from typing import Any

from windlass import Context, workflow

MARKS = "marks.jsonl"
WAIT = "3m"  # No signal takes so long.


class ToldToFail(Exception):
    """The input wanted it."""


def act(run: str, step: str, after: Any, words: list[Any], pace: int, effect: str = "did") -> str:
    """Something happens outside; a kill hits before, in or after it."""
    value = uuid.uuid4().hex
    mark = {"run": run, "step": step, "effect": effect, "after": after, "words": words, "value": value}
    line = json.dumps(mark, separators=(",", ":")) + "\n"
    path = Path(os.environ["CHAOS_LEDGER"]).with_name(MARKS)
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)
    if pace:
        threading.Event().wait(pace / 1000)
    return value


def back(run: str, step: str, after: Any, words: list[Any], pace: int) -> None:
    """Take it back."""
    act(run, step, after, words, pace, "undid")


@workflow("code.walk", max_events=1_000)
def walk(ctx: Context, given: dict[str, Any]) -> Any:
    """Every kind of call in a row; its author has made the mistake to catch everything around a wait."""
    run, pace = ctx.run_id, given["pace"]
    words: list[Any] = []
    value = ctx.step("one", act, run, "one", None, [], pace)
    value = ctx.step("two", act, run, "two", value, [], pace)
    ctx.sleep(f"{given['nap']}ms")
    words.extend(_word(ctx) for _ in range(given["words"]))
    value = ctx.step("heard", act, run, "heard", value, words, pace)
    value = ctx.step(
        "three", act, run, "three", value, words, pace, undo=back, retries=2, retry_delay="100ms"
    )
    visits = [ctx.call(f"visit-{n}", act, run, f"visit-{n}", value, words, pace) for n in range(given["fan"])]
    ctx.parallel(visits)
    if given["child"]:
        ctx.run_child("code.leaf", given, run_id=f"{run}-leaf")
    value = ctx.step("four", act, run, "four", value, words, pace, undo=back)
    if given["fails"]:
        raise ToldToFail("told to fail")
    return {"words": words, "value": ctx.step("five", act, run, "five", value, words, pace)}


@workflow("code.leaf")
def leaf(ctx: Context, given: dict[str, Any]) -> Any:
    """A child that sleeps between two steps."""
    value = ctx.step("one", act, ctx.run_id, "one", None, [], given["pace"])
    ctx.sleep(f"{given['nap']}ms")
    return ctx.step("two", act, ctx.run_id, "two", value, [], given["pace"])


@workflow("code.race")
def race(ctx: Context, given: dict[str, Any]) -> Any:
    """Signals that come when their time is over, or nearly."""
    words = [
        ctx.wait_for_signal("word", timeout=f"{given['timeout']}ms", default=None)
        for _ in range(given["words"])
    ]
    received = [one for one in words if one is not None]
    ctx.step("one", act, ctx.run_id, "one", None, received, given["pace"])
    return {"words": received}


def _word(ctx: Context) -> Any:
    try:
        return ctx.wait_for_signal("word", timeout=WAIT)
    except BaseException:  # What suspends a run must not be swallowed, whatever its author writes.
        return "swallowed"

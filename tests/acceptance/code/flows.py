"""One workflow for each kind of wait; every body leaves a line with an outside witness when it begins."""

import os
import threading
import time
from pathlib import Path
from typing import Any

from windlass import Context, workflow

GATE_S = 60.0


def act(run: str, what: str) -> str:
    """Something happens outside, once for each call."""
    line = f"{run} {what}\n".encode()
    file = os.open(os.environ["FLOW_WITNESS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line)
    finally:
        os.close(file)
    return what


def hold(run: str, what: str) -> str:
    """The same, and it lasts until the gate is open."""
    act(run, what)
    give_up = time.monotonic() + GATE_S
    while not Path(os.environ["FLOW_GATE"]).exists() and time.monotonic() < give_up:
        threading.Event().wait(0.02)
    return what


def fail_once(run: str) -> str:
    """The first attempt fails."""
    act(run, "shaky")
    if Path(os.environ["FLOW_WITNESS"]).read_text().count(f"{run} shaky\n") == 1:
        raise OSError("told to fail")
    return "shaky"


def _around(ctx: Context, result: Any) -> Any:
    ctx.step("after", act, ctx.run_id, "after")
    return result


def _before(ctx: Context) -> None:
    ctx.step("before", act, ctx.run_id, "before")


@workflow("flow-sleep")
def sleeping(ctx: Context) -> Any:
    _before(ctx)
    ctx.sleep("6s")
    return _around(ctx, "slept")


@workflow("flow-signal")
def signalled(ctx: Context) -> Any:
    _before(ctx)
    return _around(ctx, ctx.wait_for_signal("go", timeout="10m"))


@workflow("flow-child")
def parent(ctx: Context) -> Any:
    _before(ctx)
    return _around(ctx, ctx.run_child("flow-signal", run_id=f"{ctx.run_id}-child"))


@workflow("flow-parallel")
def parallel(ctx: Context) -> Any:
    _before(ctx)
    quick = [ctx.call(f"quick-{n}", act, ctx.run_id, f"quick-{n}") for n in range(3)]
    return _around(ctx, ctx.parallel([*quick, ctx.call("held", hold, ctx.run_id, "held")]))


@workflow("flow-step")
def stepping(ctx: Context) -> Any:
    _before(ctx)
    return _around(ctx, ctx.step("held", hold, ctx.run_id, "held"))


@workflow("flow-retry")
def retrying(ctx: Context) -> Any:
    _before(ctx)
    return _around(ctx, ctx.step("shaky", fail_once, ctx.run_id, retries=2, retry_delay="6s"))


@workflow("flow-hook")
def hooked(ctx: Context) -> Any:
    _before(ctx)
    hook = ctx.create_hook("decision", "approve")
    ctx.step("tell", act, ctx.run_id, f"token={hook.token}")
    return _around(ctx, ctx.wait_for_hook(hook))

"""The thread that renews leases: a process that could not start it once tries again."""

import threading
from typing import Any

import pytest

from app.worker.execute import _HeartbeatThread


def test_where_no_thread_could_begin_the_next_step_tries_again(monkeypatch: pytest.MonkeyPatch) -> None:
    begun: list[Any] = []

    def start(started: threading.Thread) -> None:
        begun.append(started)
        if len(begun) == 1:
            raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    claim: Any = type("Claim", (), {"step": {"kind": "task", "timeout_ms": 1}})
    nothing: Any = None
    thread = _HeartbeatThread()
    with pytest.raises(RuntimeError):
        thread.start(nothing, claim, nothing)
    for _ in range(2):
        thread.start(nothing, claim, nothing)
    assert len(begun) == 2

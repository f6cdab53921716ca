"""The official client is loaded when the first connection is made, by one thread at a time."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, BrokenBarrierError
from typing import Any
from unittest.mock import MagicMock

import pytest

from app.providers import kube

ACCESS = {"server": "https://127.0.0.1:1", "token": "t"}


class Parts:
    """A package that loads its parts on first use, and tells whether two threads were at it at once."""

    Configuration = MagicMock()
    ApiException = RuntimeError

    def __init__(self) -> None:
        self.meeting = Barrier(2)
        self.met = False

    @property
    def ApiClient(self) -> Any:
        """The part that takes long."""
        try:
            self.meeting.wait(0.1)
            self.met = True
        except BrokenBarrierError:
            self.meeting.reset()
        return MagicMock()


def test_threads_take_turns_to_load_it(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = Parts()
    monkeypatch.setattr(kube, "import_module", lambda _name: parts)
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(kube.Kube, [ACCESS, ACCESS]))
    assert not parts.met

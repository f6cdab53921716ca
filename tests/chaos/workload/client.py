"""A client that never gives up and never forgets: the answers to it are the evidence for what was promised.

It repeats a request under the same key until it is answered, as the documentation asks, and keeps every
answer.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

LOG = "client.jsonl"
TIMEOUT_S = 15.0
FIRST_PAUSE_S, LAST_PAUSE_S = 0.05, 1.0
AGAIN = frozenset({0, 429, 500, 502, 503, 504})  # 500 is repeated and judged.
IN_FLIGHT = "in_flight"


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer, or none."""

    at: int  # Milliseconds since 1970, when it came.
    took_ms: int
    status: int  # 0: none came.
    detail: str = ""  # The error's code and message, or why no answer came.


@dataclass(kw_only=True)
class Request:
    """One thing that the client wanted, with every answer to it."""

    kind: str  # start, again, other-body, trigger, signal, cancel, retry, act, hook, batch…
    path: str
    body: Mapping[str, Any]
    key: str = ""
    order: int = 0
    at: int = 0
    run_id: str | None = None  # What the accepting answer named.
    replies: list[Reply] = field(default_factory=list)

    @property
    def status(self) -> int:
        """The last answer's status; 0 when none ever came."""
        return self.replies[-1].status if self.replies else 0

    @property
    def accepted(self) -> bool:
        """Whether it was answered with a success."""
        return 200 <= self.status < 300


class Client:
    """Speaks to one API from many threads; `log` is its memory, and the file of that name its evidence."""

    def __init__(self, url: str, folder: Path) -> None:
        self.log: list[Request] = []
        self.stopped = threading.Event()
        self._http = httpx.Client(
            base_url=url,
            timeout=TIMEOUT_S,
            limits=httpx.Limits(max_connections=64, max_keepalive_connections=32),
            trust_env=False,
        )
        self._file = (folder / LOG).open("a")
        self._lock = threading.Lock()

    def close(self) -> None:
        """Stop asking."""
        self.stopped.set()
        self._http.close()
        self._file.close()

    def ask(self, request: Request, *, header: bool = False, patience_s: float = 900.0) -> Request:
        """Post it until it is answered for good, or until patience ends; the request with its replies."""
        headers = {"Idempotency-Key": request.key} if header and request.key else {}
        body = dict(request.body)
        if request.key and not header:
            body["idempotencyKey"] = request.key
        request.at = round(time.time() * 1000)
        give_up, pause = time.monotonic() + patience_s, FIRST_PAUSE_S
        while not self.stopped.is_set():
            reply, answer = self._once(request.path, body, headers)
            request.replies.append(reply)
            if reply.status not in AGAIN and IN_FLIGHT not in reply.detail:
                request.run_id = answer.get("id") or answer.get("runId") or answer.get("workflow_id")
                break
            if time.monotonic() > give_up:
                break
            self.stopped.wait(pause)
            pause = min(pause * 2, LAST_PAUSE_S)
        self._keep(request)
        return request

    def get(self, path: str, **params: Any) -> dict[str, Any] | None:
        """What the API shows; None when it does not answer now."""
        try:
            response = self._http.get(path, params=params)
        except httpx.HTTPError:
            return None
        return dict(response.json()["data"]) if response.status_code == 200 else None

    def statuses(self) -> Counter[int]:
        """How often each status was answered; 0 for no answer."""
        with self._lock:
            return Counter(reply.status for request in self.log for reply in request.replies)

    def _once(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> tuple[Reply, dict[str, Any]]:
        began = time.time()
        try:
            response = self._http.post(path, json=body, headers=headers)
            status, detail, answer = response.status_code, "", _json(response)
        except httpx.HTTPError as error:
            status, detail, answer = 0, type(error).__name__, {}
        now = time.time()
        data = answer.get("data")
        if status >= 400:
            error_ = answer.get("error", {})
            if isinstance(error_, str):  # As batches refuse.
                error_ = {"code": answer.get("code"), "message": error_, "details": answer.get("details")}
            detail = json.dumps({name: error_.get(name) for name in ("code", "message", "details")})
        took = round((now - began) * 1000)
        # Code workflows are answered without an envelope.
        return Reply(at=round(now * 1000), took_ms=took, status=status, detail=detail), data or answer

    def _keep(self, request: Request) -> None:
        with self._lock:
            self.log.append(request)
            if not self._file.closed:
                self._file.write(json.dumps(asdict(request), default=str) + "\n")
                self._file.flush()


def _json(response: httpx.Response) -> dict[str, Any]:
    try:
        answer = response.json()
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def together(asks: Iterable[Callable[[], object]]) -> None:
    """Ask for all of it at the same time, and wait for every answer."""
    threads = [threading.Thread(target=ask, daemon=True) for ask in asks]
    for one in threads:
        one.start()
    for one in threads:
        one.join()

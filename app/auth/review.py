"""Who a token of Kubernetes stands for: asked of an API server by a TokenReview.

1. What was found is remembered for a while by a digest of the token, and never beyond the token's own end.
2. Requests with one token wait for one review; few reviews are under way at a time.
3. An API server that is away, or does not trust us, says nothing about a token: that is `Unavailable`, and
   whoever asked comes again.
"""

import base64
import binascii
import hashlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import urllib3

from app.domain.errors import Unavailable

PATH = "/apis/authentication.k8s.io/v1/tokenreviews"
TIMEOUT = urllib3.Timeout(connect=2.0, read=3.0)
TRUSTED_S, REFUSED_S = 270.0, 5.0  # How long an answer is good.
MOST_REMEMBERED = 10_000
MOST_UNDER_WAY = 8
PATIENCE_S = 1.0  # So long a review waits for others to end.
LONGEST_TOKEN = 16_384
LONGEST_ANSWER = 1_048_576
USER = ("system", "serviceaccount")


class Account(NamedTuple):
    """A service account."""

    namespace: str
    name: str


class Reviewer:
    """Asks one API server, and remembers."""

    def __init__(
        self, server: str, folder: Path, ca_cert: str = "", clock: Callable[[], float] = time.time
    ) -> None:
        """``folder`` holds our own ``token`` and, unless ``ca_cert`` names another file, ``ca.crt``."""
        self._url = server.rstrip("/") + PATH
        self._token = folder / "token"
        self._ca = Path(ca_cert) if ca_cert else folder / "ca.crt"
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[float, Account | None]] = OrderedDict()
        self._turns: dict[bytes, threading.Lock] = {}
        self._lock = threading.Lock()
        self._under_way = threading.BoundedSemaphore(MOST_UNDER_WAY)
        self._pools: dict[tuple[float, int] | None, urllib3.PoolManager] = {}

    def account(self, token: str) -> Account | None:
        """Whose token this is; None when it is nobody's. Raises `Unavailable` when that cannot be known."""
        if not token or len(token) > LONGEST_TOKEN:
            return None
        digest = hashlib.sha256(token.encode("utf-8", "replace")).digest()
        found = self._remembered(digest)
        if found is None:
            with self._lock:
                turn = self._turns.setdefault(digest, threading.Lock())
            with turn:
                try:
                    found = self._remembered(digest) or self._ask(digest, token)
                finally:  # Also when it cannot be known: anybody may send any number of tokens.
                    with self._lock:
                        self._turns.pop(digest, None)
        return found[1]

    def _remembered(self, digest: bytes) -> tuple[float, Account | None] | None:
        found = self._known.get(digest)
        return found if found is not None and self._clock() < found[0] else None

    def _ask(self, digest: bytes, token: str) -> tuple[float, Account | None]:
        if not self._under_way.acquire(timeout=PATIENCE_S):
            raise Unavailable("Too many tokens are under review; try again.")
        try:
            account = _account(self._review(token))
        finally:
            self._under_way.release()
        now = self._clock()
        until = now + REFUSED_S if account is None else min(now + TRUSTED_S, _ends(token, now + TRUSTED_S))
        with self._lock:
            self._known[digest] = until, account
            while len(self._known) > MOST_REMEMBERED:
                self._known.popitem(last=False)
        return until, account

    def _review(self, token: str) -> object:
        """The status of a TokenReview."""
        body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenReview",
            "spec": {"token": token},
        }
        try:
            # Read at each call: it is exchanged for another one every hour.
            ours = self._token.read_text().strip()
            answer = self._pool().request(
                "POST",
                self._url,
                body=json.dumps(body).encode(),
                headers={"Authorization": f"Bearer {ours}", "Content-Type": "application/json"},
                timeout=TIMEOUT,
                retries=False,
                redirect=False,
                preload_content=False,
            )
            text = answer.read(LONGEST_ANSWER)
            answer.release_conn()
            if answer.status not in (200, 201):
                raise Unavailable(f"The API server answered a review of a token with {answer.status}.")
            return json.loads(text)["status"]
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unavailable(f"No token can be reviewed: {type(error).__name__}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise Unavailable("The API server answered a review of a token with something else.") from error

    def _pool(self) -> urllib3.PoolManager:
        """Connections that trust the CA as its file is now."""
        stamp = None
        if self._ca.exists():
            status = self._ca.stat()
            stamp = status.st_mtime, status.st_size
        with self._lock:
            if stamp not in self._pools:
                trusted = {"ca_certs": str(self._ca)} if stamp else {}
                self._pools = {stamp: urllib3.PoolManager(maxsize=MOST_UNDER_WAY, **trusted)}  # type: ignore[arg-type]
            return self._pools[stamp]


def _account(status: object) -> Account | None:
    if not isinstance(status, dict) or status.get("authenticated") is not True:
        return None
    user = status.get("user")
    parts = str(user.get("username", "") if isinstance(user, dict) else "").split(":")
    if len(parts) != 4 or tuple(parts[:2]) != USER:
        return None
    return Account(parts[2], parts[3])


def _ends(token: str, unless: float) -> float:
    """When a token ends by its own words; tokens of other forms do not say."""
    try:
        claims = token.split(".")[1]
        ends = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["exp"]
        return float(ends)
    except (IndexError, KeyError, TypeError, ValueError, binascii.Error):
        return unless

"""The boot service: what a machine that boots from the network gets its installer from.

A service of three calls over HTTP: ``POST /boot`` orders an installation, or with ``"wipe": true`` that the
disks are erased; ``GET /boot`` tells whether the last order is done (``installed``, ``wiped``) or has
``failed``, with a ``message`` if it likes; ``DELETE /boot`` withdraws the order. The lab offers it;
production puts its own behind it.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse

from app.domain.errors import Permanent, StepError

TIMEOUT_S = 10.0
LARGEST_ANSWER = 1_048_576


class BootServiceFailed(StepError):
    """The boot service did not answer."""

    code = "BOOT_SERVICE_FAILED"


@dataclass(frozen=True, kw_only=True)
class Order:
    """An order as the boot service tells it; while it is open, nothing of this is true."""

    installed: bool = False
    wiped: bool = False
    failed: bool = False
    message: str = ""


@dataclass(frozen=True)
class BootService:
    """A client of the boot service at a base URL; empty when none is set."""

    url: str

    def order(self, bmc_address: str, image: Mapping[str, object], hook_url: str) -> None:
        """Have the machine install an image at its next network boot, and call the hook when done."""
        self._call("POST", "/boot", {"bmcAddress": bmc_address, "image": dict(image), "url": hook_url})

    def wipe(self, bmc_address: str, hook_url: str) -> None:
        """Have the machine erase its disks at its next network boot, and call the hook when done."""
        self._call("POST", "/boot", {"bmcAddress": bmc_address, "wipe": True, "url": hook_url})

    def ordered(self, bmc_address: str) -> Order:
        """What became of the machine's last order."""
        query = urllib.parse.urlencode({"bmcAddress": bmc_address})
        told = self._call("GET", f"/boot?{query}")
        # "false" and "no" are text, and true to Python: nothing but true says that an order is done.
        facts = {name: told.get(name) is True for name in ("installed", "wiped", "failed")}
        return Order(**facts, message=str(told.get("message") or ""))

    def withdraw(self, bmc_address: str) -> None:
        """Forget the machine's order; there may be none."""
        query = urllib.parse.urlencode({"bmcAddress": bmc_address})
        self._call("DELETE", f"/boot?{query}")

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, object]:
        if not self.url:
            unset = "no boot service is set: put its address into WINDLASS_BOOT_URL"
            raise Permanent(unset, nothing_happened=True)
        request = urllib.request.Request(
            self.url.rstrip("/") + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect)
        try:
            with opener.open(request, timeout=TIMEOUT_S) as answer:
                return _object(_body(answer))
        except (HTTPException, OSError, ValueError, RecursionError) as error:
            if isinstance(error, urllib.error.HTTPError):
                error.close()  # It is an answer as well, with a connection of its own.
            raise BootServiceFailed(f"{method} {self.url}{path.partition('?')[0]}: {error}") from error


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirected order would become a question: the answer to it says nothing of the order."""

    def redirect_request(self, *_: object) -> None:
        """Answer none: the redirect itself is an error then."""


def _body(answer: HTTPResponse) -> bytes:
    """The whole body; raises `ValueError` when it is cut, which a bounded read does not tell."""
    body = answer.read(LARGEST_ANSWER + 1)
    announced = answer.status == 204 or answer.chunked or "Content-Length" in answer.headers
    if answer.length or not (body or announced):
        raise ValueError("its answer is cut, or too long")
    return body


def _object(body: bytes) -> dict[str, object]:
    """The JSON object of an answer; an empty one says nothing. Raises `ValueError`."""
    if len(body) > LARGEST_ANSWER:
        raise ValueError(f"its answer has more than {LARGEST_ANSWER} bytes")
    told = json.loads(body or b"{}")
    if not isinstance(told, dict):
        raise ValueError("its answer is not a JSON object")
    return told

"""HTTPS to one controller and to nothing else.

The certificate is the pinned one (SHA-256) or one that the system's authorities vouch for; a redirect or a
link to another host is an error; an answer has a largest size; every wait ends with the call's deadline.
"""

import ssl
import time
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from sushy.connector import Connector
from urllib3 import HTTPResponse
from urllib3.util.ssl_ import create_urllib3_context

from app.providers.bmc.target import Target

LARGEST_ANSWER = 4 * 1024 * 1024
PIECE = 64 * 1024


class Astray(requests.RequestException):
    """A link or a redirect leads away from the controller."""


class TooLarge(requests.RequestException):
    """The answer is larger than anything a controller has to say."""


class Pinned(HTTPAdapter):
    """Accepts one certificate, by fingerprint, whoever signed it and whatever name it bears."""

    def __init__(self, fingerprint: str) -> None:
        self.fingerprint = fingerprint
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        # The pin alone carries the trust. A context of our own spares loading the system's authorities for
        # every connection, which would cost more than the request.
        context = create_urllib3_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        super().init_poolmanager(*args, assert_fingerprint=self.fingerprint, ssl_context=context, **kwargs)


class Line(requests.Session):
    """A session of requests that goes to `base` alone and ends every wait at `deadline`."""

    def __init__(self, base: str, deadline: float) -> None:
        super().__init__()
        self.base, self.deadline = base, deadline
        self.answered = False
        # Neither proxies nor netrc credentials of the worker's environment have a say here.
        self.trust_env = False

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        if not str(url).startswith(self.base + "/"):
            raise Astray(f"a link leads to {str(url)[:200]}")
        kwargs |= {"timeout": self._left(), "allow_redirects": False, "stream": True}
        # A new connection each time: some controllers close after each answer without saying so, and a
        # request on such a connection is lost with its fate unknown.
        self.close()
        with super().request(method, url, *args, **kwargs) as response:
            self.answered = True
            if response.is_redirect:
                raise Astray("it redirects")
            # What requests itself would have read, but bounded.
            vars(response).update(_content=self._body(response.raw), _content_consumed=True)
        return response

    def _body(self, raw: HTTPResponse) -> bytes:
        body = b""
        while piece := raw.read1(PIECE, decode_content=True):
            body += piece
            self._left()
            if len(body) > LARGEST_ANSWER:
                raise TooLarge(f"more than {LARGEST_ANSWER} bytes")
        return body

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise requests.Timeout("the deadline has passed")
        return left


class OneTry(Connector):  # type: ignore[misc]
    """sushy's connector with our line, and without its retries: a reset may be sent once only."""

    def __init__(self, target: Target, line: Line) -> None:
        super().__init__(line.base, verify=target.verify is None, server_side_retries=1)
        self._session: requests.Session
        # sushy asks for a closed connection each time, because controllers choke on lasting ones.
        line.headers["Connection"] = "close"
        if target.verify is not None:
            line.mount("https://", Pinned(target.verify))
        self._session.close()
        self._session = line

    def check_retry_on_exception(self, exception_msg: object) -> bool:
        return False


def is_certificate_trouble(error: BaseException | None) -> bool:
    """Whether the certificate was the reason; other TLS failures are garbled answers."""
    text = str(error)
    return "ingerprint" in text or "CERTIFICATE_VERIFY_FAILED" in text


def is_tls_trouble(error: BaseException | None) -> bool:
    """Whether the peer does not speak TLS as it should."""
    return isinstance(error, requests.exceptions.SSLError | ssl.SSLError)

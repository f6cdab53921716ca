"""HTTPS to one controller and to nothing else.

The certificate is the pinned one (SHA-256) or one that the system's authorities vouch for; a redirect or a
link to another host is an error; an answer has a largest size; every wait ends with the call's deadline.
"""

import ipaddress
import ssl
import time
from http.client import HTTPException
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
from requests.adapters import HTTPAdapter
from sushy.connector import Connector
from urllib3 import HTTPResponse
from urllib3 import exceptions as urllib3_errors
from urllib3.util.ssl_ import create_urllib3_context

from app.providers.bmc.target import Target

LARGEST_ANSWER = 4 * 1024 * 1024
PIECE = 64 * 1024
HTTPS = 443


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
        self.session: tuple[str, str | None] | None = None  # The token of our session, and where it is.
        self.sessions = base
        # Neither proxies nor netrc credentials of the worker's environment have a say here.
        self.trust_env = False

    def request(self, method: Any, url: object, *args: Any, **kwargs: Any) -> requests.Response:
        place = self._own(str(url))
        kwargs |= {"timeout": self._left(), "allow_redirects": False, "stream": True}
        # A new connection each time: some controllers close after each answer without saying so, and a
        # request on such a connection is lost with its fate unknown.
        self.close()
        with super().request(method, place, *args, **kwargs) as response:
            self.answered = True
            if method == "POST" and "X-Auth-Token" in response.headers:
                # Noted before the body is read: the session is there, whatever becomes of its description.
                self.session = (response.headers["X-Auth-Token"], response.headers.get("Location"))
                self.sessions = place
            if response.is_redirect:
                raise Astray("it redirects")
            # What requests itself would have read, but bounded.
            vars(response).update(_content=self._body(response.raw), _content_consumed=True)
        return response

    def leave(self, described: str | None) -> None:
        """Close the session that was opened, if any; `described` is where its own description says it is.

        Controllers write the session's place in all the forms that HTTP allows: with their own name, without
        the port, relative. Only its path counts, and the request goes to where all others went.
        """
        if self.session is None:
            return
        token, told = self.session
        try:
            place = urlsplit(urljoin(self.sessions, told or described or ""))
        except ValueError:
            return
        if place.path in ("", "/", urlsplit(self.sessions).path):
            return
        self.session = None
        query = f"?{place.query}" if place.query else ""
        self.request("DELETE", f"{self.base}{place.path}{query}", headers={"X-Auth-Token": token})

    def _own(self, url: str) -> str:
        """The URL with our own word for the controller; raises `Astray` when it is another one's."""
        try:
            given, ours = urlsplit(url), urlsplit(self.base)
            same = (given.scheme, _host(given.hostname), given.port or HTTPS) == (
                ours.scheme,
                _host(ours.hostname),
                ours.port or HTTPS,
            )
        except ValueError:
            same = False
        if not same or given.username is not None:
            raise Astray(f"a link leads to {url[:200]!a}")
        return f"{self.base}{given.path}" + (f"?{given.query}" if given.query else "")

    def _body(self, raw: HTTPResponse) -> bytes:
        """The whole body. Whatever breaks while it is read comes out as an error of requests."""
        body = b""
        try:
            while piece := raw.read1(PIECE, decode_content=True):
                body += piece
                self._left()
                if len(body) > LARGEST_ANSWER:
                    raise TooLarge(f"more than {LARGEST_ANSWER} bytes")
        except requests.RequestException:  # An OSError as well, and already what it should be.
            raise
        except urllib3_errors.DecodeError as error:
            raise requests.exceptions.ContentDecodingError(str(error)) from error
        except urllib3_errors.TimeoutError as error:
            raise requests.Timeout(str(error)) from error
        except (urllib3_errors.HTTPError, HTTPException, OSError) as error:
            raise requests.ConnectionError(f"the answer was cut: {error}") from error
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
        line.verify = target.verify is None
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


def _host(name: str | None) -> str:
    """A host in one form; IPv6 may be written in many ways."""
    try:
        return str(ipaddress.ip_address(name or ""))
    except ValueError:
        return (name or "").lower().removesuffix(".")

"""One Redfish session: log in, read and write resources, log out, all within one deadline."""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPException
from typing import Any

import requests
from sushy import Sushy
from sushy import exceptions as sushy_errors
from sushy.auth import AuthBase
from urllib3 import exceptions as urllib3_errors

from app.domain.errors import BmcAuthFailed, BmcConnectionFailed, BmcError, BmcRefused
from app.providers.bmc.failure import fail
from app.providers.bmc.redfish_systems import Undecided, machine_among
from app.providers.bmc.target import Target
from app.providers.bmc.transport import Astray, Line, OneTry, TooLarge, is_certificate_trouble, is_tls_trouble

Meaning = tuple[type[BmcError], str]

# What a status means once logged in; every other one is a plain refusal.
STATUSES: dict[int, Meaning] = {
    401: (BmcAuthFailed, "password"),
    403: (BmcRefused, "privilege"),
    404: (BmcRefused, "unsupported"),
    405: (BmcRefused, "unsupported"),
    429: (BmcRefused, "busy"),
    501: (BmcRefused, "unsupported"),
    503: (BmcRefused, "busy"),
}

# What the library raises when an answer lacks something or is not what the standard says.
SHAPES: dict[type[Exception], Meaning] = {
    sushy_errors.MissingAttributeError: (BmcConnectionFailed, "garbled"),
    sushy_errors.MalformedAttributeError: (BmcConnectionFailed, "garbled"),
    sushy_errors.ArchiveParsingError: (BmcConnectionFailed, "garbled"),
    sushy_errors.MissingHeaderError: (BmcConnectionFailed, "garbled"),
    sushy_errors.MissingXAuthToken: (BmcConnectionFailed, "garbled"),
    sushy_errors.MissingActionError: (BmcRefused, "unsupported"),
    sushy_errors.InvalidParameterValueError: (BmcRefused, "unsupported"),
    sushy_errors.UnknownDefaultError: (BmcRefused, "unsupported"),
    sushy_errors.ExtensionError: (BmcRefused, "unsupported"),
    sushy_errors.OEMExtensionNotFoundError: (BmcRefused, "unsupported"),
}

# How Python fails on an answer of another shape; a broad handler would swallow soft time limits.
NONSENSE = (LookupError, TypeError, ValueError, AttributeError, RecursionError)

# What only the layers below requests raise, should they ever let it through.
BROKEN = (OSError, urllib3_errors.HTTPError, HTTPException)

GOODBYE = 2.0  # Seconds that closing the session may take.


class Login(AuthBase):  # type: ignore[misc]
    """A Redfish session where there are any, else HTTP Basic; never both, so a wrong password counts once."""

    session: str | None = None

    def _do_authenticate(self) -> None:
        root, connector = self._root_resource, self._connector
        if not (root.json.get("Links") or {}).get("Sessions"):
            connector.set_http_basic_auth(self._username, self._password)
            return
        token, self.session = root.create_session(self._username, self._password)
        connector.set_http_session_auth(token)
        # Without it, sushy would log in again on every 401.
        connector.set_auth(None)

    def can_refresh_session(self) -> bool:
        return False


class Visit:
    """A session that is open; `sent` tells whether an order may have taken effect."""

    def __init__(self, target: Target, attempt: str, patience: float) -> None:
        self.target, self.attempt = target, attempt
        self.sent = False
        self.logged_in = False
        self.line = Line(_base(target), time.monotonic() + patience)
        self.connector = OneTry(target, self.line)
        self.login = Login(target.username, target.password)
        self.root: Any = None
        self._system: Any = None

    def open(self) -> None:
        """Log in and find the machine; finding it takes a request that only a logged-in user may make."""
        self.root = Sushy(self.line.base, auth=self.login, connector=self.connector)
        self.logged_in = self.login.session is not None
        try:
            paths = self.root.get_system_collection().members_identities
            self.logged_in = True
            self._system = machine_among(self.root, paths, self.target.system)
        except Undecided as error:
            raise self.failure(BmcRefused, "unsupported", str(error)) from error

    def system(self, *, fresh: bool = False) -> Any:
        """The machine as read when the session was opened, or read again."""
        if fresh:
            self._system.invalidate()
            self._system.refresh(force=True)
        return self._system

    def read(self, path: str) -> dict[str, Any]:
        """A resource as the controller gives it."""
        found = self.connector.get(path).json()
        if not isinstance(found, dict):
            raise TypeError("not an object")
        return found

    @contextmanager
    def ordering(self) -> Iterator[None]:
        """Around a request that changes something: a refusal below 500 is certain to have changed nothing."""
        before, self.sent = self.sent, True
        try:
            yield
        except (sushy_errors.InvalidParameterValueError, sushy_errors.MissingActionError):
            self.sent = before
            raise
        except sushy_errors.HTTPError as error:
            self.sent = before if error.status_code < 500 else True
            raise

    def close(self) -> None:
        """Give the session back; a controller has few of them."""
        self.line.deadline = time.monotonic() + GOODBYE
        with suppress(*BROKEN):
            self.line.leave(self.login.session)
        self.connector.close()

    def failure(self, kind: type[BmcError], reason: str, hint: str = "") -> BmcError:
        """The error to raise now, knowing what was sent."""
        return fail(kind, self.target, self.attempt, reason, hint, nothing_happened=not self.sent)

    def translated(self, error: Exception) -> BmcError:
        """Our error for one of sushy's."""
        if isinstance(error, sushy_errors.ConnectionError):
            return self._connection(error.__context__)
        for kind, meaning in SHAPES.items():
            if isinstance(error, kind):
                return self.failure(*meaning, type(error).__name__)
        if isinstance(error, sushy_errors.HTTPError):
            return self._status(error)
        return self.failure(BmcConnectionFailed, "garbled", type(error).__name__)

    def _status(self, error: Any) -> BmcError:
        kind, reason = STATUSES.get(error.status_code, (BmcRefused, "refused"))
        if not self.logged_in and (reason == "busy" or "SessionLimit" in str(error)):
            kind, reason = BmcConnectionFailed, "session_limit"
        elif not self.logged_in and reason == "privilege":
            kind = BmcAuthFailed
        detail = str(error.detail or "")[:200]
        return self.failure(kind, reason, f"HTTP {error.status_code}: {detail}".rstrip(": "))

    def _connection(self, cause: BaseException | None) -> BmcError:
        if is_certificate_trouble(cause):
            return self.failure(BmcConnectionFailed, "certificate")
        if is_tls_trouble(cause) or isinstance(cause, Astray | TooLarge):
            return self.failure(BmcConnectionFailed, "garbled", str(cause)[:200])
        return self.failure(BmcConnectionFailed, "lost" if self.line.answered else "unreachable")


@contextmanager
def visit(target: Target, attempt: str, patience: float) -> Iterator[Visit]:
    """A session that is logged in, for at most `patience` seconds; every failure comes out as a BMC error."""
    here = Visit(target, attempt, patience)
    try:
        here.open()
        yield here
    except sushy_errors.SushyError as error:
        if isinstance(error.__context__, requests.Timeout):
            here.line.session = None  # It has fallen silent: there is nobody to say goodbye to.
        raise here.translated(error) from error
    except requests.RequestException as error:
        raise here.failure(BmcConnectionFailed, "garbled", type(error).__name__) from error
    except BROKEN as error:
        raise here.failure(BmcConnectionFailed, "lost", type(error).__name__) from error
    except NONSENSE as error:
        raise here.failure(BmcConnectionFailed, "garbled", type(error).__name__) from error
    finally:
        here.close()


def _base(target: Target) -> str:
    host = f"[{target.host}]" if ":" in target.host else target.host
    return f"https://{host}:{target.port}"

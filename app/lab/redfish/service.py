"""The Redfish service of one machine: faults, logins, reading and the few things that can be changed."""

import asyncio
import base64
import binascii
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from app.domain.errors import (
    Conflict,
    MethodNotAllowed,
    NotFound,
    Unauthorized,
    Unavailable,
    ValidationFailed,
    WindlassError,
)
from app.lab.account import Account
from app.lab.http import HttpServer, Request, Response
from app.lab.ledger import Origin
from app.lab.machine import Boot, Machine, Outcome
from app.lab.redfish import resources
from app.lab.redfish.resources import BASEBOARD, MANAGER, RESETS, RESOURCES, SESSIONS, SYSTEM, TARGETS
from app.lab.redfish.shape import ROOT

_OPEN = {"/redfish", ROOT}
_IDLE = 300.0  # seconds after which a silent session ends
_MENDED = 0.05  # seconds between two looks whether a dead service lives again
_DEVICES = {target: device for device, target in TARGETS.items()}
_MESSAGES: dict[type[WindlassError], str] = {
    ValidationFailed: "PropertyValueError",
    Unauthorized: "NoValidSession",
    NotFound: "ResourceNotFound",
    MethodNotAllowed: "OperationNotAllowed",
    Unavailable: "SessionLimitExceeded",
}


@dataclass
class _Session:
    number: str
    user: str
    seen: float


class RedfishBmc:
    """The Redfish side of one machine."""

    def __init__(self, machine: Machine, account: Account) -> None:
        self._machine = machine
        self._account = account
        self._sessions: dict[str, _Session] = {}  # by token
        self.server = HttpServer(self._handle, as_error)
        machine.forgetful.append(self._sessions.clear)
        self._changes: dict[tuple[str, str], Callable[[Request, Origin], Response]] = {
            ("PATCH", SYSTEM): self._patch_system,
            ("POST", f"{SYSTEM}/Actions/ComputerSystem.Reset"): self._reset,
            ("POST", f"{MANAGER}/Actions/Manager.Reset"): self._restart_bmc,
        }

    async def _handle(self, request: Request) -> Response | None:
        """Faults first and last; nothing means that the connection is cut."""
        active_faults = self._machine.active_faults
        if self._machine.deaf():
            while self._machine.still_deaf() and not request.gone():
                await asyncio.sleep(_MENDED)
            return None
        if active_faults.loses():
            return None
        try:
            answer = self._answer(request)
        except WindlassError as error:
            answer = as_error(error)
        await asyncio.sleep(active_faults.delay())
        if self._machine.still_deaf() or active_faults.loses():
            return None
        cut = ""
        if request.method == "GET" and request.path == SYSTEM and active_faults.applies("cut_body"):
            cut = active_faults.current.cut_body
        return Response(
            status=answer.status,
            body=answer.body,
            headers={"OData-Version": "4.0", **answer.headers},
            cut=cut,
        )

    def _answer(self, request: Request) -> Response:
        if request.path in (SESSIONS, f"{SESSIONS}/Members") and request.method == "POST":
            return self._log_in(request)
        if request.path in _OPEN and request.method == "GET":
            return Response(body=RESOURCES[request.path](self._machine))
        origin = self._authenticated(request)
        change = self._changes.get((request.method, request.path))
        if change:
            return change(request, origin)
        if request.path == SESSIONS or request.path.startswith(f"{SESSIONS}/"):
            return self._on_sessions(request, origin)
        there = request.path in RESOURCES
        if request.path == BASEBOARD:
            there = bool(self._machine.active_faults.current.systems)
            if self._machine.active_faults.current.systems == "silent" and not self._machine.on:
                raise Unavailable("The baseboard cannot be reached while the host is off.")
        if not there:
            raise NotFound(f"There is no {request.path}.")
        if request.method != "GET":
            raise MethodNotAllowed
        return Response(body=RESOURCES[request.path](self._machine))

    def _log_in(self, request: Request) -> Response:
        body, now = request.json_object(), asyncio.get_running_loop().time()
        user = str(body.get("UserName", ""))
        origin = Origin(protocol="redfish", port=request.port)
        if not self._knows(user, str(body.get("Password", ""))):
            self._machine.note("login.refused", "password", origin)
            raise Unauthorized("The user name or the password is wrong.")
        self._expire(now)
        if self._machine.active_faults.full(len(self._sessions)):
            self._machine.note("login.refused", "sessions", origin)
            raise Unavailable("The session limit is reached.")
        token, number = secrets.token_hex(16), secrets.token_hex(4)
        self._sessions[token] = _Session(number, user, now)
        self._machine.note("login", user, Origin(protocol="redfish", session=number, port=request.port))
        headers = {"X-Auth-Token": token, **self._location(request, f"{SESSIONS}/{number}")}
        return Response(status=201, body=resources.session(number, user), headers=headers)

    def _location(self, request: Request, path: str) -> dict[str, str]:
        """Where a new session is, in the form that this controller prefers."""
        form = self._machine.active_faults.current.location
        if form == "none":
            return {}
        hosts = {"absolute": request.headers.get("host", ""), "named": "bmc.lab.example"}
        return {"Location": f"https://{hosts[form]}{path}" if form else path}

    def _authenticated(self, request: Request) -> Origin:
        """Whoever sent the request, by token or by basic authentication; raises `Unauthorized`."""
        now = asyncio.get_running_loop().time()
        self._expire(now)
        session = self._sessions.get(request.headers.get("x-auth-token", ""))
        if session:
            session.seen = now
            return Origin(protocol="redfish", session=session.number, port=request.port)
        user, password = _basic(request.headers.get("authorization", ""))
        origin = Origin(protocol="redfish", port=request.port)
        if user is None:
            raise Unauthorized("There is no valid session.")
        if not self._knows(user, password):
            self._machine.note("login.refused", "password", origin)
            raise Unauthorized("The user name or the password is wrong.")
        if not request.connection.get("noted"):
            request.connection["noted"] = True
            self._machine.note("login", user, origin)
        return origin

    def _knows(self, user: str, password: str) -> bool:
        return not self._machine.refuses_login() and self._account.matches(user, password)

    def _expire(self, now: float) -> None:
        for token in [token for token, one in self._sessions.items() if one.seen < now - _IDLE]:
            del self._sessions[token]

    def _on_sessions(self, request: Request, origin: Origin) -> Response:
        if request.path == SESSIONS:
            return Response(body=resources.sessions([one.number for one in self._sessions.values()]))
        number = request.path.rsplit("/", 1)[1]
        for token, one in list(self._sessions.items()):
            if one.number != number:
                continue
            if request.method == "GET":
                return Response(body=resources.session(number, one.user))
            if request.method == "DELETE":
                del self._sessions[token]
                self._machine.note("logout", None, origin)
                return Response(status=204)
            raise MethodNotAllowed
        raise NotFound("There is no such session.")

    def _patch_system(self, request: Request, origin: Origin) -> Response:
        change = request.json_object().get("Boot")
        if not isinstance(change, dict):
            raise ValidationFailed.of("Boot", "is the only property that can be changed")
        self._machine.set_boot(_changed_boot(self._machine.boot, change), origin)
        return Response(status=204)

    def _reset(self, request: Request, origin: Origin) -> Response:
        kind = request.json_object().get("ResetType")
        if kind not in RESETS:
            raise ValidationFailed.of("ResetType", f"one of {', '.join(RESETS)}")
        outcome = self._machine.ask(RESETS[kind], origin)
        if outcome is Outcome.REFUSED:
            raise ValidationFailed("The reset was refused.")
        if outcome is Outcome.NOT_NOW:
            raise Conflict(f"{kind} makes no sense now: the system is {self._machine.power}, or gets there.")
        return Response(status=204)

    def _restart_bmc(self, request: Request, origin: Origin) -> Response:
        self._machine.restart_bmc(origin)
        return Response(status=204)


def _changed_boot(boot: Boot, change: Mapping[str, object]) -> Boot:
    """The boot device after a PATCH; what is not named stays as it is."""
    enabled = change.get("BootSourceOverrideEnabled", "Once" if boot.once else "Continuous")
    target = change.get("BootSourceOverrideTarget", TARGETS.get(boot.device, "None"))
    mode = change.get("BootSourceOverrideMode", "UEFI" if boot.uefi else "Legacy")
    if enabled not in ("Once", "Continuous", "Disabled"):
        raise ValidationFailed.of("Boot.BootSourceOverrideEnabled", "Once, Continuous or Disabled")
    if target not in _DEVICES:
        raise ValidationFailed.of("Boot.BootSourceOverrideTarget", f"one of {', '.join(_DEVICES)}")
    device = "default" if enabled == "Disabled" else _DEVICES[target]
    return Boot(device=device, once=enabled != "Continuous", uefi=mode == "UEFI")


def _basic(header: str) -> tuple[str | None, str]:
    """User and password of a basic authorization header, no user when it is not one."""
    kind, _, encoded = header.partition(" ")
    if kind.lower() != "basic":
        return None, ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def as_error(error: WindlassError) -> Response:
    """An error in Redfish's own words (DSP0266, 8.6)."""
    status = getattr(error, "status", 500)
    message = f"Base.1.16.{_MESSAGES.get(type(error), 'GeneralError')}"
    extended = {"MessageId": message, "Message": error.message, "Severity": "Warning"}
    body = {"error": {"code": message, "message": error.message, "@Message.ExtendedInfo": [extended]}}
    headers = {"WWW-Authenticate": 'Basic realm="lab"'} if status == 401 else {}
    return Response(status=status, body=body, headers=headers)

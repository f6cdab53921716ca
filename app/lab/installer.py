"""The installer: what a machine does when it starts from the network. It erases disks, too.

A client of the boot service orders an image for the machine and gives the URL of a hook. At the next start
from the network the image is installed after a delay, and the hook is called. The behaviour of the installer
is a property of the machine, so that tests can set faults beforehand.
"""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, replace

from app.domain.errors import ValidationFailed
from app.lab.ledger import Origin
from app.lab.machine import Boot, Machine

_MODES = ("callback", "silent", "never")
_STATUSES = ("ok", "failed")
_TRIES = 60  # calls of the hook before the installer gives up, after about five minutes
_PAUSE, _LONGEST_PAUSE = 0.5, 5.0  # seconds between them: twice as long each time, up to the longest
_TIMEOUT = 10.0  # seconds for one call

_INSTALLER = Origin(protocol="installer")


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """How the installer of one machine behaves."""

    mode: str = "callback"  # silent: installs without calling; never: hangs before it has done anything
    status: str = "ok"
    delay_ms: int = 500

    def changed(self, body: object) -> "Behaviour":
        """With the fields of a JSON object; raises `ValidationFailed` and names the field."""
        if not isinstance(body, Mapping):
            raise ValidationFailed.of("installer", "must be an object")
        unknown = set(body) - {"mode", "status", "delayMs"}
        if unknown:
            raise ValidationFailed.of(f"installer.{min(unknown)}", "unknown")
        new = replace(
            self,
            mode=body.get("mode", self.mode),
            status=body.get("status", self.status),
            delay_ms=body.get("delayMs", self.delay_ms),
        )
        if new.mode not in _MODES:
            raise ValidationFailed.of("installer.mode", f"one of {', '.join(_MODES)}")
        if new.status not in _STATUSES:
            raise ValidationFailed.of("installer.status", f"one of {', '.join(_STATUSES)}")
        if type(body.get("delayMs", 0)) is not int or new.delay_ms < 0:
            raise ValidationFailed.of("installer.delayMs", "must be a whole number that is not negative")
        return new

    def to_json(self) -> dict[str, object]:
        return {"mode": self.mode, "status": self.status, "delayMs": self.delay_ms}


@dataclass(frozen=True, kw_only=True)
class Order:
    """An image that is to be installed, and whom to tell."""

    image: str | None = None
    url: str | None = None
    wipe: bool = False  # The disks are erased instead.
    state: str = "ordered"  # then installing, and installed, wiped or failed

    @property
    def open(self) -> bool:
        return self.state in ("ordered", "installing")

    def to_json(self) -> dict[str, object]:
        return {"image": self.image, "url": self.url, "wipe": self.wipe, "state": self.state}


class Installer:
    """The installer of one machine."""

    def __init__(self, machine: Machine, behaviour: Behaviour) -> None:
        self._machine = machine
        self._task: asyncio.Task[None] | None = None
        self.behaviour = behaviour
        self.order: Order | None = None
        machine.started = self._started
        machine.stopped = self._stopped

    def take(self, order: Order) -> None:
        """Arm the machine: at its next start from the network this is installed."""
        self._stopped()
        self.order = order

    def withdraw(self) -> None:
        """Forget the order; an installation that is under way ends."""
        self._stopped()
        self.order = None

    def _started(self, device: str) -> None:
        if device not in ("network", "http") or self.behaviour.mode == "never":
            return
        if self.order and self.order.open:
            self._task = asyncio.get_running_loop().create_task(self._install(self.order, self.behaviour))

    def _stopped(self) -> None:
        if self._task and not self._task.done():
            self._task.cancel()
            if self.order and self.order.state == "installing":
                self.order = replace(self.order, state="ordered")
                self._machine.note(f"{self._verb(self.order)}.aborted", self.order.image, _INSTALLER)
        self._task = None

    async def _install(self, order: Order, behaviour: Behaviour) -> None:
        self.order, verb = replace(order, state="installing"), self._verb(order)
        self._machine.note(f"{verb}.started", order.image, _INSTALLER)
        await asyncio.sleep(behaviour.delay_ms / 1000)
        if behaviour.status == "ok" and order.wipe:
            self.order = replace(order, state="wiped")
            self._machine.installed = None
            self._machine.note("wipe.done", None, _INSTALLER)
        elif behaviour.status == "ok":
            self.order = replace(order, state="installed")
            self._machine.installed = order.image or "unnamed"
            self._machine.boot = Boot(device="disk", once=False)
            self._machine.note("install.done", self._machine.installed, _INSTALLER)
            self._machine.note("boot", "disk", _INSTALLER)
        else:
            self.order = replace(order, state="failed")
            self._machine.note(f"{verb}.failed", order.image, _INSTALLER)
        if behaviour.mode == "callback" and order.url:
            body = {"status": behaviour.status, "machine": self._machine.id, "image": order.image}
            await self._call(order.url, body)

    @staticmethod
    def _verb(order: Order) -> str:
        return "wipe" if order.wipe else "install"

    async def _call(self, url: str, body: Mapping[str, object]) -> None:
        """Call until somebody answers: the service may be just restarting."""
        pause = _PAUSE
        for _ in range(_TRIES):
            result = await asyncio.to_thread(_post, url, body)
            self._machine.note("install.called", result, _INSTALLER)
            if isinstance(result, int) and result < 500 and result != 429:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)


def _post(url: str, body: Mapping[str, object]) -> int | str:
    """The HTTP status of the call, or in words why there is none."""
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"}, method="POST"
    )
    try:
        # A proxy of the environment must not come between the lab and a service on the same host.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=_TIMEOUT) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except (OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"

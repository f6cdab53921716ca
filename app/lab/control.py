"""The control API, by which tests, demos and operators read the state of machines and set faults.

    GET    /machines                  all machines
    GET    /machines/<id>             one
    PATCH  /machines/<id>             power, bootDevice, faults, installer, installed, powerDelayMs
    POST   /machines/<id>/install     order an image: url, image, mode, status, delayMs
    POST   /machines/<id>/certificate have its Redfish service make itself a new certificate
    POST   /boot                      the boot service: machine or bmcAddress, url, image ({url}) or wipe
    GET    /boot?bmcAddress=          whether that order is done
    DELETE /boot?bmcAddress=          withdraw it
    GET    /ledger?machine=&since=&effect=
    DELETE /ledger                    forget what was written so far
    GET    /certificate               of the Redfish services, as PEM
    *      /kube                      the management clusters: see `app.lab.kube.control`

Plain HTTP and JSON without keys: it listens on loopback only, and answers no page of a browser but its own.
"""

from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

from app.config import LOOPBACK
from app.domain.errors import (
    Forbidden,
    MethodNotAllowed,
    NotFound,
    UnsupportedMediaType,
    ValidationFailed,
)
from app.lab.clouds import Clouds
from app.lab.faults import Faults
from app.lab.http import HttpServer, Request, Response, as_error
from app.lab.installer import Installer, Order
from app.lab.kube.control import KubeControl
from app.lab.ledger import Ledger, Origin, as_json
from app.lab.machine import DEVICES, Boot, Machine

_CONTROL = Origin(protocol="control")
FOR_PAGES = frozenset({"text/plain", "multipart/form-data"})
_BEHAVIOUR = {"mode", "status", "delayMs"}


def _check_sender(request: Request) -> None:
    """Raise `Forbidden` for what a page of another origin sends, or under another name (DNS rebinding)."""
    host = request.headers.get("host", "")
    own = urlsplit(f"//{host}").hostname in LOOPBACK
    origin = request.headers.get("origin")
    site = request.headers.get("sec-fetch-site", "none")
    if not own or origin not in (None, f"http://{host}") or site not in ("none", "same-origin"):
        raise Forbidden("The lab answers 127.0.0.1, localhost and [::1] only, and no page of another origin.")
    # What a page may send anywhere without asking; forms, which Python sends by default, are judged above.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() in FOR_PAGES:
        raise UnsupportedMediaType


class Control:
    """The control API of one lab."""

    def __init__(
        self,
        machines: list[Machine],
        installers: dict[str, Installer],
        ledger: Ledger,
        certificate: bytes,
        kube: KubeControl,
        clouds: Clouds,
    ) -> None:
        self._machines = {machine.id: machine for machine in machines}
        self._installers = installers
        self._ledger = ledger
        self._certificate = certificate
        self._kube, self._clouds = kube, clouds
        self.server = HttpServer(self._handle, as_error)
        self._routes: dict[tuple[str, str], Callable[[Request], Response]] = {
            ("GET", "/machines"): self._list,
            ("GET", "/ledger"): self._read_ledger,
            ("DELETE", "/ledger"): self._clear_ledger,
            ("POST", "/boot"): self._order,
            ("GET", "/boot"): self._ordered,
            ("DELETE", "/boot"): self._withdraw,
            ("GET", "/certificate"): self._show_certificate,
        }
        self._machine_routes: dict[tuple[str, str], Callable[[Request, Machine], Response]] = {
            ("GET", ""): lambda request, machine: Response(body=self._shown(machine)),
            ("PATCH", ""): self._change,
            ("POST", "install"): self._install,
            ("POST", "certificate"): self._renew_certificate,
        }

    async def _handle(self, request: Request) -> Response:
        _check_sender(request)
        route = self._routes.get((request.method, request.path))
        if route:
            return route(request)
        parts = request.path.split("/")
        if parts[1] == "kube":
            return await self._kube.handle(request)
        if parts[1] == "clouds":
            return self._clouds.control(request)
        if len(parts) in (3, 4) and parts[1] == "machines":
            machine = self._machine(parts[2])
            action = self._machine_routes.get((request.method, "/".join(parts[3:])))
            if not action:
                raise MethodNotAllowed
            return action(request, machine)
        if request.path in {path for _, path in self._routes}:
            raise MethodNotAllowed
        raise NotFound(f"There is no {request.path}.")

    def _list(self, request: Request) -> Response:
        return Response(body=[self._shown(machine) for machine in self._machines.values()])

    def _shown(self, machine: Machine) -> dict[str, object]:
        installer = self._installers[machine.id]
        return {
            "id": machine.id,
            "ipmiAddress": machine.address,
            "ipmiPort": machine.ipmi_port,
            "redfishUrl": machine.redfish_url,
            "power": machine.power,
            "bootDevice": machine.boot.device,
            "bootOnce": machine.boot.once,
            "installed": machine.installed,
            "serial": machine.hardware.serial,
            "faults": machine.active_faults.current.to_json(),
            "installer": installer.behaviour.to_json(),
            "order": installer.order.to_json() if installer.order else None,
            "powerDelayMs": round(machine.power_delay * 1000),
        }

    def _change(self, request: Request, machine: Machine) -> Response:
        """Everything is checked before anything is changed."""
        body, installer = request.json_object(), self._installers[machine.id]
        checks: dict[str, Callable[[object], Callable[[], None]]] = {
            "power": lambda value: _power_change(machine, value),
            "bootDevice": lambda value: _boot_change(machine, value),
            "faults": lambda value: _setting(machine.active_faults, "current", Faults.from_json(value)),
            "installer": lambda value: _setting(installer, "behaviour", installer.behaviour.changed(value)),
            "installed": lambda value: _installed_change(machine, _text_or_none("installed", value)),
            "powerDelayMs": lambda value: _setting(machine, "power_delay", _seconds("powerDelayMs", value)),
        }
        unknown = sorted(set(body) - set(checks))
        if unknown:
            raise ValidationFailed.of(unknown[0], f"unknown; one of {', '.join(checks)}")
        for change in [checks[key](value) for key, value in body.items()]:
            change()
        return Response(body=self._shown(machine))

    def _install(self, request: Request, machine: Machine) -> Response:
        body, installer = request.json_object(), self._installers[machine.id]
        installer.behaviour = installer.behaviour.changed(
            {key: value for key, value in body.items() if key in _BEHAVIOUR}
        )
        installer.take(_order({key: value for key, value in body.items() if key not in _BEHAVIOUR}))
        return Response(status=202, body=self._shown(machine))

    def _renew_certificate(self, request: Request, machine: Machine) -> Response:
        machine.renew_certificate()
        return Response(status=204)

    def _order(self, request: Request) -> Response:
        body = request.json_object()
        machine = self._addressed({key: body.pop(key, None) for key in ("machine", "bmcAddress")})
        self._installers[machine.id].take(_order(body))
        return Response(status=202, body={"machine": machine.id, "image": body.get("image")})

    def _ordered(self, request: Request) -> Response:
        machine = self._addressed(request.query)
        order = self._installers[machine.id].order
        if order:
            state, image = order.state, order.image
        else:
            state, image = ("installed" if machine.installed else "none"), machine.installed
        done = {word: state == word for word in ("installed", "wiped", "failed")}
        return Response(body={"machine": machine.id, **done, "state": state, "image": image})

    def _withdraw(self, request: Request) -> Response:
        self._installers[self._addressed(request.query).id].withdraw()
        return Response(status=204)

    def _read_ledger(self, request: Request) -> Response:
        since = request.query.get("since", "0")
        if not since.isdecimal():
            raise ValidationFailed.of("since", "must be a sequence number")
        lines = self._ledger.read(request.query.get("machine"), int(since), request.query.get("effect"))
        return Response(body=[as_json(line) for line in lines])

    def _clear_ledger(self, request: Request) -> Response:
        self._ledger.clear()
        return Response(status=204)

    def _show_certificate(self, request: Request) -> Response:
        return Response(body=self._certificate, headers={"Content-Type": "application/x-pem-file"})

    def _machine(self, machine_id: str) -> Machine:
        if machine_id not in self._machines:
            raise NotFound(f"There is no machine {machine_id}.")
        return self._machines[machine_id]

    def _addressed(self, body: Mapping[str, object]) -> Machine:
        """The machine that is named by its id or by the address of its BMC, in either protocol."""
        if body.get("machine"):
            return self._machine(str(body["machine"]))
        address = str(body.get("bmcAddress") or "")
        try:
            port = urlsplit(address if "//" in address else f"//{address}").port
        except ValueError:
            port = None
        for machine in self._machines.values():
            if port and port in (machine.ipmi_port, machine.redfish_port):
                return machine
        raise NotFound(f"There is no machine with the BMC address {address!r}.")


def _order(body: Mapping[str, object]) -> Order:
    unknown = sorted(set(body) - {"url", "image", "wipe", "userData", "networkData"})
    if unknown:
        raise ValidationFailed.of(unknown[0], "unknown")
    wanted = body.get("image")
    image = _text_or_none("image", wanted.get("url") if isinstance(wanted, Mapping) else wanted)
    url = _text_or_none("url", body.get("url"))
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise ValidationFailed.of("url", "must begin with http:// or https://")
    wipe = body.get("wipe", False)
    if type(wipe) is not bool or (wipe and image is not None):
        raise ValidationFailed.of("wipe", "must be true or false, and goes without an image")
    return Order(url=url, image=image, wipe=wipe)


def _text_or_none(field: str, value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise ValidationFailed.of(field, "must be a text")


def _seconds(field: str, value: object) -> float:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValidationFailed.of(field, "must be a number of milliseconds")
    return value / 1000


def _setting(owner: object, name: str, value: object) -> Callable[[], None]:
    return lambda: setattr(owner, name, value)


def _power_change(machine: Machine, value: object) -> Callable[[], None]:
    if value not in ("on", "off"):
        raise ValidationFailed.of("power", "on or off")
    return lambda: machine.set_power(value == "on", _CONTROL)


def _installed_change(machine: Machine, image: str | None) -> Callable[[], None]:
    def change() -> None:
        machine.installed = image
        machine.note("install.set", image, _CONTROL)

    return change


def _boot_change(machine: Machine, value: object) -> Callable[[], None]:
    if value not in DEVICES:
        raise ValidationFailed.of("bootDevice", f"one of {', '.join(DEVICES)}")

    def change() -> None:
        machine.boot = Boot(device=value)
        machine.note("boot", value, _CONTROL)

    return change

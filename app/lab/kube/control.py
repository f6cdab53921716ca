"""The control API of the simulated management clusters: their state and faults.

    GET    /kube                      all clusters
    GET    /kube/kubeconfig           one kubeconfig for all of them, as YAML
    GET    /kube/<cluster>            one: url, how many objects of each kind, what is broken
    PATCH  /kube/<cluster>            faults, bookmarkSeconds; clusters, vms: a behaviour towards all of them;
                                      special: {clusters|vms: {name: behaviour}} towards some
    GET    /kube/<cluster>/ledger?kind=&name=&effect=&since=
    POST   /kube/<cluster>/cut        cut every connection now
    POST   /kube/<cluster>/compact    forget what happened: older versions are gone, lists cannot go on
    POST   /kube/<cluster>/erase      kind, namespace, name: remove an object whatever holds it;
                                      recreate puts another one of the same name in its place
    POST   /kube/<cluster>/tokens     token, user, groups, readsOnly, expiresIn (seconds)
    DELETE /kube/<cluster>/tokens     token
    POST   /kube/<cluster>/load       clusters, vms: make so many; owned: as if Windlass had made them
    POST   /kube/<cluster>/churn      rate, seconds: so many events a second; telling: not mere heartbeats

A kind is the plural of a resource. Behaviours are those of `app.lab.kube.behaviour`, faults those of
`app.lab.kube.faults`; both replace what was set before.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from app.domain.errors import MethodNotAllowed, NotFound, ValidationFailed
from app.lab.http import Request, Response
from app.lab.kube.behaviour import Behaviour
from app.lab.kube.controller import Controller
from app.lab.kube.errors import Refused
from app.lab.kube.faults import Faults
from app.lab.kube.load import Load
from app.lab.kube.server import ApiServer
from app.lab.kube.tokens import User
from app.lab.kube.writes import Write
from app.lab.ledger import Ledger, as_json

_WRITE = Write(user="system:control", manager="control", validation="Ignore")

Act = Callable[[ApiServer, Request], Response]
Change = Callable[[], None]


class KubeControl:
    """The control API of all management clusters of a lab."""

    def __init__(self, servers: Sequence[ApiServer], ledger: Ledger, kubeconfig: Callable[[], str]) -> None:
        self._servers = {server.name: server for server in servers}
        self._loads = {server.name: Load(server) for server in servers}
        self._ledger = ledger
        self._kubeconfig = kubeconfig
        self._acts: dict[tuple[str, str], Act] = {
            ("GET", ""): lambda server, request: Response(body=self._shown(server)),
            ("PATCH", ""): self._change,
            ("GET", "ledger"): self._read,
            ("POST", "cut"): self._cut,
            ("POST", "compact"): self._compact,
            ("POST", "erase"): self._erase,
            ("POST", "tokens"): self._admit,
            ("DELETE", "tokens"): self._expel,
            ("POST", "load"): self._load,
            ("POST", "churn"): self._churn,
        }

    async def handle(self, request: Request) -> Response:
        """Answer a request whose path begins with ``/kube``."""
        _, _, *parts = request.path.split("/")
        if parts == ["kubeconfig"]:
            return Response(body=self._kubeconfig().encode(), headers={"Content-Type": "application/yaml"})
        if not parts:
            return Response(body=[self._shown(server) for server in self._servers.values()])
        server, name = self._servers.get(parts[0]), "/".join(parts[1:])
        if server is None or name not in {known for _, known in self._acts}:
            raise NotFound(f"There is no {request.path}.")
        act = self._acts.get((request.method, name))
        if act is None:
            raise MethodNotAllowed
        try:
            return act(server, request)
        except Refused as error:
            raise ValidationFailed(error.message) from error

    def _shown(self, server: ApiServer) -> dict[str, object]:
        counts = {kind.id: server.store.count(kind) for kind in server.kinds}
        controllers = _controllers(server)
        return {
            "name": server.name,
            "url": server.url,
            "objects": {kind: count for kind, count in counts.items() if count},
            "faults": server.active_faults.current.to_json(),
            **{name: controller.behaviours.general.to_json() for name, controller in controllers.items()},
            "special": {
                name: {one: found.to_json() for one, found in controller.behaviours.special.items()}
                for name, controller in controllers.items()
            },
            "bookmarkSeconds": server.api.bookmark_seconds,
        }

    def _change(self, server: ApiServer, request: Request) -> Response:
        """Everything is checked before anything is changed."""
        body = request.json_object()
        checks: dict[str, Callable[[object], Change]] = {
            "faults": lambda value: _afflict(server, value),
            "bookmarkSeconds": lambda value: _bookmarks(server, value),
            "special": lambda value: _special(server, value),
            **{name: partial(_behave, controller) for name, controller in _controllers(server).items()},
        }
        unknown = sorted(set(body) - set(checks))
        if unknown:
            raise ValidationFailed.of(unknown[0], f"unknown; one of {', '.join(checks)}")
        for change in [checks[key](value) for key, value in body.items()]:
            change()
        return Response(body=self._shown(server))

    def _read(self, server: ApiServer, request: Request) -> Response:
        query = request.query
        since = query.get("since", "0")
        if not since.isdecimal():
            raise ValidationFailed.of("since", "must be a sequence number")
        lines = self._ledger.read(None, int(since), query.get("effect"))
        places = [(line, line.machine.split("/")) for line in lines if line.protocol == "kube"]
        return Response(
            body=[
                as_json(line)
                for line, place in places
                if place[0] == server.name
                and query.get("kind", "") in ("", place[1].partition(".")[0])
                and query.get("name", "") in ("", place[-1])
            ]
        )

    def _cut(self, server: ApiServer, request: Request) -> Response:
        server.cut()
        return Response(status=204)

    def _compact(self, server: ApiServer, request: Request) -> Response:
        server.store.compact()
        server.api.lists.forget()
        return Response(status=204)

    def _erase(self, server: ApiServer, request: Request) -> Response:
        body = request.json_object()
        try:
            kind = server.kinds.named(_text(body, "kind"))
        except KeyError as error:
            raise ValidationFailed.of("kind", "must be the plural of a resource") from error
        key = str(body.get("namespace") or ""), _text(body, "name")
        content = server.objects.get(kind, key)
        server.objects.finish(kind, key, _WRITE)
        if body.get("recreate"):
            metadata = {
                name: content["metadata"][name] for name in ("name", "labels") if name in content["metadata"]
            }
            rest = {name: value for name, value in content.items() if name not in ("metadata", "status")}
            server.objects.create(kind, key[0], {**rest, "metadata": metadata}, _WRITE)
        return Response(status=204)

    def _admit(self, server: ApiServer, request: Request) -> Response:
        body = request.json_object()
        seconds = body.get("expiresIn")
        user = User(
            name=str(body.get("user") or "system:admin"),
            groups=tuple(body.get("groups") or ()),
            reads_only=bool(body.get("readsOnly")),
            expires=None if seconds is None else time.time() + float(seconds),
        )
        server.tokens.add(_text(body, "token"), user)
        return Response(status=204)

    def _expel(self, server: ApiServer, request: Request) -> Response:
        server.tokens.revoke(_text(request.json_object(), "token"))
        return Response(status=204)

    def _load(self, server: ApiServer, request: Request) -> Response:
        body = request.json_object()
        counts = int(body.get("clusters", 0)), int(body.get("vms", 0))
        self._loads[server.name].fill(*counts, owned=bool(body.get("owned")))
        return Response(body=self._shown(server))

    def _churn(self, server: ApiServer, request: Request) -> Response:
        body = request.json_object()
        pace = float(body.get("rate", 0)), float(body.get("seconds", 60))
        self._loads[server.name].churn(*pace, telling=bool(body.get("telling")))
        return Response(status=202, body=self._shown(server))


def _controllers(server: ApiServer) -> dict[str, Controller]:
    return {"clusters": server.clusters, "vms": server.vms}


def _afflict(server: ApiServer, value: object) -> Change:
    faults = Faults.from_json(value)
    return lambda: setattr(server.active_faults, "current", faults)


def _bookmarks(server: ApiServer, value: object) -> Change:
    if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
        raise ValidationFailed.of("bookmarkSeconds", "must be a number above zero")
    return lambda: setattr(server.api, "bookmark_seconds", float(value))


def _behave(controller: Controller, value: object) -> Change:
    behaviour = Behaviour.from_json(value)
    return lambda: controller.behave(behaviour)


def _special(server: ApiServer, value: object) -> Change:
    controllers = _controllers(server)
    if not isinstance(value, Mapping) or set(value) - set(controllers):
        raise ValidationFailed.of("special", f"must be an object with {' and '.join(controllers)}")
    made = [
        (controllers[which], name, Behaviour.from_json(body))
        for which, named in value.items()
        for name, body in named.items()
    ]

    def change() -> None:
        for controller, name, behaviour in made:
            controller.behave(behaviour, name)

    return change


def _text(body: Mapping[str, object], field: str) -> str:
    value = body.get(field)
    if not isinstance(value, str) or not value:
        raise ValidationFailed.of(field, "must be a text that is not empty")
    return value

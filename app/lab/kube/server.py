"""One management cluster: its API server on a port of loopback, its objects, its controllers."""

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path

from app.domain.errors import WindlassError
from app.lab.http import HttpServer, Request, Response, Stream
from app.lab.kube import catalogue, discovery
from app.lab.kube.admission import Webhooks
from app.lab.kube.api import Api, Target, target, verb_of
from app.lab.kube.clusters import Clusters
from app.lab.kube.collector import Collector
from app.lab.kube.controller import Controller
from app.lab.kube.definitions import Definitions
from app.lab.kube.errors import (
    Refused,
    bad_request,
    broken,
    forbidden,
    no_such_path,
    stale,
    too_many,
    unauthorized,
)
from app.lab.kube.faults import ActiveFaults, Faults
from app.lab.kube.journal import Journal
from app.lab.kube.kinds import CRDS, EVENTS, NAMESPACES, Kind, Kinds, shipped
from app.lab.kube.objects import Objects
from app.lab.kube.store import Object, Store
from app.lab.kube.subresources import Subresources
from app.lab.kube.tokens import ANONYMOUS, Tokens, User
from app.lab.kube.vms import Machines
from app.lab.kube.writes import Write
from app.lab.ledger import Ledger, Origin

_ITSELF = Write(user="system:apiserver", manager="apiserver")
_NAMESPACES = ("default", "kube-system", catalogue.NAMESPACE)
_WRITES = ("POST", "PUT", "PATCH", "DELETE")
_LOOK = 0.1  # Seconds between looks whether a client that gets no answer has gone away.


class ApiServer:
    """The API server of one management cluster."""

    def __init__(self, name: str, token: str, ledger: Ledger, state: Path | None = None) -> None:
        self.name = name
        self.active_faults = ActiveFaults(Faults())
        self.tokens = Tokens(token)
        self.kinds = Kinds()
        self.store = Store()
        self.objects = Objects(self.store, self._note)
        self.api = Api(self.objects, self.tokens, self.active_faults)
        self.clusters = Clusters(self.objects, self.kinds)
        self.vms = Machines(self.objects, self.kinds)
        self._controllers: list[Controller] = [
            Definitions(self.objects, self.kinds),
            self.clusters,
            self.vms,
            Collector(self.objects, self.kinds),
        ]
        self._subresources = Subresources(self.vms)
        self._ledger = ledger
        self._http = HttpServer(self._handle, as_status)
        self._scheme = "http"
        self._journal = Journal(state / f"{name}.jsonl", self.store, self.kinds) if state else None
        if not self.store.count(NAMESPACES):
            self._furnish()
        self.objects.admission.append(Webhooks(self.clusters))

    @property
    def port(self) -> int:
        return self._http.port

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    async def start(self, port: int, tls: ssl.SSLContext | None) -> None:
        """Listen; port 0 takes any free one. Raises `OSError` when the port is taken."""
        self._scheme = "https" if tls else "http"
        await self._http.start(port, tls)
        for controller in self._controllers:
            controller.start()

    async def stop(self) -> None:
        """Close the port, cut every connection and end the controllers."""
        for controller in self._controllers:
            controller.stop()
        await self._http.stop()
        if self._journal:
            self._journal.close()

    def cut(self) -> None:
        """Cut every connection now."""
        self._http.cut()

    async def _handle(self, request: Request) -> Response | Stream | None:
        at = target(request.path, self.kinds)
        faults, applies = self.active_faults.current, self.active_faults.applies
        ill = faults.concern(verb_of(request, at) if at else "", at.kind.plural if at else "")
        if ill and (applies("dead") or applies("drop")):
            await _silence(request, hang=faults.dead or faults.hang)
            return None
        if ill and applies("slow"):
            await asyncio.sleep(faults.slow)
        try:
            if ill:
                self._fail(request, at)
            answer = self._answer(request, at)
        except Refused as error:
            answer = error.response()
        if ill and request.method in _WRITES and applies("lose"):
            await _silence(request, hang=faults.hang)
            return None
        return answer

    def _fail(self, request: Request, at: Target | None) -> None:
        """Raise `Refused` when a fault has it so."""
        faults, applies = self.active_faults.current, self.active_faults.applies
        if applies("expired"):
            raise unauthorized()
        if applies("throttle"):
            raise too_many(faults.retry_after)
        if applies("errors"):
            raise broken(faults.error_status)
        if at and at.kind.api_version in faults.unserved and applies("unserved"):
            raise no_such_path()
        if at and applies("forbidden"):
            raise forbidden(at.kind, at.name, "somebody took the rights away")
        if at and request.method in ("PUT", "PATCH") and applies("conflicts"):
            raise stale(at.kind, at.name)

    def _answer(self, request: Request, at: Target | None) -> Response | Stream:
        if request.path in discovery.HEALTH:
            return Response(body=b"ok", headers={"Content-Type": "text/plain"})
        user = self.tokens.user(request.headers.get("authorization", ""))
        if request.path == "/version":
            return Response(body=discovery.VERSION)
        self._allow(user, request, at)
        if at:
            return self.api.answer(at, request, user)
        called = self._subresources.answer(request, user)
        if called:
            return called
        found = discovery.document(request, self.kinds)
        if found is None:
            raise no_such_path()
        return found

    def _allow(self, user: User, request: Request, at: Target | None) -> None:
        if user != ANONYMOUS and not (user.reads_only and request.method != "GET"):
            return
        if at is None:
            why = f'forbidden: User "{user.name}" cannot {request.method.lower()} path "{request.path}"'
            raise Refused(403, "Forbidden", why)
        verb = verb_of(request, at)
        where = f' in the namespace "{at.namespace}"' if at.namespace else " at the cluster scope"
        what = f'cannot {verb} resource "{at.kind.plural}" in API group "{at.kind.group}"{where}'
        raise forbidden(at.kind, at.name, f'User "{user.name}" {what}')

    def _furnish(self) -> None:
        for name in _NAMESPACES:
            self.objects.create(NAMESPACES, "", {"metadata": {"name": name}}, _ITSELF)
        for crd in shipped():
            self.kinds.add(Kind.of_crd(crd))
            self.objects.create(CRDS, "", crd, _ITSELF)
        for plural, content in catalogue.objects():
            kind, key = self.kinds.named(plural), (catalogue.NAMESPACE, content["metadata"]["name"])
            status = content.pop("status")
            made = self.objects.create(kind, catalogue.NAMESPACE, content, _ITSELF)
            self.objects.replace(kind, key, made | {"status": status}, replace(_ITSELF, subresource="status"))

    def _note(self, effect: str, kind: Kind, content: Object, write: Write) -> None:
        """Events come and go without an effect on anything."""
        metadata = content["metadata"]
        if kind.id != EVENTS.id:
            place = self.place(kind, metadata.get("namespace", ""), metadata["name"])
            self._ledger.write(place, effect, metadata["uid"], Origin(protocol="kube", session=write.manager))

    def place(self, kind: Kind, namespace: str, name: str) -> str:
        """How the ledger names an object."""
        return "/".join(filter(None, (self.name, kind.id, namespace, name)))


async def _silence(request: Request, *, hang: bool) -> None:
    """No answer: the connection is cut, at once or when the client has had enough."""
    while hang and not request.gone():
        await asyncio.sleep(_LOOK)


def as_status(error: WindlassError) -> Response:
    """A request that is not even HTTP as it should be."""
    return replace(bad_request(error.message).response(), status=error.status)

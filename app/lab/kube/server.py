"""One management cluster: its API server on a port of loopback, its objects, its controllers."""

import ssl
from dataclasses import replace

from app.domain.errors import WindlassError
from app.lab.http import HttpServer, Request, Response, Stream
from app.lab.kube import discovery
from app.lab.kube.api import Api, Target, target, verb_of
from app.lab.kube.errors import Refused, bad_request, forbidden, no_such_path
from app.lab.kube.kinds import CRDS, NAMESPACES, Kind, Kinds, shipped
from app.lab.kube.objects import Objects, Write
from app.lab.kube.store import Object, Store
from app.lab.kube.tokens import ANONYMOUS, Tokens, User
from app.lab.ledger import Ledger, Origin

_ITSELF = Write(user="system:apiserver", manager="apiserver")
_NAMESPACES = ("default", "kube-system", "kcm-system")


class ApiServer:
    """The API server of one management cluster."""

    def __init__(self, name: str, token: str, ledger: Ledger, *, bookmark_seconds: float = 5.0) -> None:
        self.name = name
        self.tokens = Tokens(token)
        self.kinds = Kinds()
        self.store = Store()
        self.objects = Objects(self.store, self._note)
        self.api = Api(self.objects, self.tokens, bookmark_seconds)
        self._ledger = ledger
        self._http = HttpServer(self._handle, as_status)
        self._scheme = "http"
        self._furnish()

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

    async def stop(self) -> None:
        """Close the port and cut every connection."""
        await self._http.stop()

    async def _handle(self, request: Request) -> Response | Stream | None:
        try:
            return self._answer(request, self.tokens.user(request.headers.get("authorization", "")))
        except Refused as error:
            return error.response()

    def _answer(self, request: Request, user: User) -> Response | Stream:
        if request.path in discovery.HEALTH:
            return Response(body=b"ok", headers={"Content-Type": "text/plain"})
        if request.path == "/version":
            return Response(body=discovery.VERSION)
        at = target(request.path, self.kinds)
        self._allow(user, request, at)
        if at:
            return self.api.answer(at, request, user)
        found = discovery.document(request.path, self.kinds)
        if found is None:
            raise no_such_path()
        return Response(body=found)

    def _allow(self, user: User, request: Request, at: Target | None) -> None:
        if user == ANONYMOUS or (user.reads_only and request.method != "GET"):
            if at is None:
                raise Refused(
                    403, "Forbidden", f'forbidden: User "{user.name}" cannot get path "{request.path}"'
                )
            verb = verb_of(request, at)
            where = f' in the namespace "{at.namespace}"' if at.namespace else " at the cluster scope"
            what = f'cannot {verb} resource "{at.kind.plural}" in API group "{at.kind.group}"{where}'
            raise forbidden(at.kind, at.name, f'User "{user.name}" {what}')

    def _furnish(self) -> None:
        for name in _NAMESPACES:
            content: Object = {"metadata": {"name": name}}
            self.objects.create(NAMESPACES, "", content, _ITSELF)
        for crd in shipped():
            self.objects.create(CRDS, "", crd, _ITSELF)
            self.kinds.add(Kind.of_crd(crd))

    def _note(self, effect: str, kind: Kind, content: Object, write: Write) -> None:
        metadata = content["metadata"]
        place = "/".join(filter(None, (self.name, kind.id, metadata.get("namespace"), metadata["name"])))
        self._ledger.write(place, effect, metadata["uid"], Origin(protocol="kube", session=write.manager))


def as_status(error: WindlassError) -> Response:
    """A request that is not even HTTP as it should be."""
    return replace(bad_request(error.message).response(), status=error.status)

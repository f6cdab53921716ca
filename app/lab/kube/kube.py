"""Simulated management clusters: their API servers, each on a port of its own, and the ways to reach them."""

import asyncio
import base64
from collections.abc import Sequence
from pathlib import Path

import yaml

from app.lab.background import Background, listening
from app.lab.certificate import load_or_make
from app.lab.http import HttpServer, as_error
from app.lab.kube.control import KubeControl
from app.lab.kube.server import ApiServer
from app.lab.ledger import Ledger

TOKEN = "windlass-lab-token"  # Opens simulated clusters on loopback and nothing else.


class Kube(Background):
    """API servers in one event loop, each a management cluster of its own on 127.0.0.1.

    As a context manager it runs in a background thread. Port 0 means any free port; a base port means one
    port per cluster from there on. Without a control port it has no control API of its own. ``state`` is a
    folder and ``tls`` a file that outlive it: objects and certificate are there again when it is started on
    them. Raises `Unavailable` when a port is taken.
    """

    def __init__(
        self,
        names: Sequence[str] = ("mgmt",),
        base_port: int = 0,
        token: str = TOKEN,
        *,
        ledger: Ledger | None = None,
        tls: str | Path | None = None,
        plain: bool = False,
        control_port: int | None = 0,
        state: str | Path | None = None,
    ) -> None:
        self.token = token
        self.ledger = ledger or Ledger()
        self.certificate, context = load_or_make(tls)
        self._tls = None if plain else context
        self._base = base_port
        self._control_port = control_port
        folder = Path(state) if state else None
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self.servers = [ApiServer(name, token, self.ledger, folder) for name in names]
        self.control = KubeControl(self.servers, self.ledger, self.kubeconfig)
        self._http = HttpServer(self.control.handle, as_error)

    @property
    def control_url(self) -> str:
        """The control API, on its own: ``<control_url>/kube/...``."""
        return f"http://127.0.0.1:{self._http.port}"

    def server(self, name: str = "") -> ApiServer:
        """The server with this name, or the first one; raises `KeyError`."""
        found = {server.name: server for server in self.servers}
        return found[name] if name else self.servers[0]

    def kubeconfig(self) -> str:
        """All clusters as contexts of one kubeconfig, as YAML; the first is current."""
        return yaml.safe_dump(self._kubeconfig(), sort_keys=False)

    def _kubeconfig(self) -> dict[str, object]:
        clusters, contexts = [], []
        for server in self.servers:
            trust = {"certificate-authority-data": self._authority()} if self._tls else {}
            clusters.append({"name": server.name, "cluster": {"server": server.url, **trust}})
            contexts.append({"name": server.name, "context": {"cluster": server.name, "user": "lab"}})
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": self.servers[0].name,
            "clusters": clusters,
            "contexts": contexts,
            "users": [{"name": "lab", "user": {"token": self.token}}],
        }

    def _authority(self) -> str:
        return base64.b64encode(self.certificate).decode()

    def summary(self) -> dict[str, object]:
        """Where everything listens, as JSON."""
        return {
            "controlUrl": self.control_url,
            "token": self.token,
            "clusters": [{"name": server.name, "url": server.url} for server in self.servers],
        }

    async def open(self) -> None:
        for index, server in enumerate(self.servers):
            port = self._base and self._base + index
            await listening(server.start(port, self._tls), "TCP", port)
        if self._control_port is not None:
            await listening(self._http.start(self._control_port), "TCP", self._control_port)

    async def close(self) -> None:
        await self._http.stop()
        for server in self.servers:
            await server.stop()
        # Cut connections let their sockets go in the next turns of the loop.
        await asyncio.sleep(0.01)

"""The lab's control API, as the demo needs it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

from app.domain.errors import NotFound
from app.host.up import LAB_PASSWORD

USERNAME = "admin"
MANAGEMENT = "mgmt"  # The management cluster of `windlass up --lab`.


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One machine of the lab."""

    id: str
    address: str  # Of its controller, host:port; the same for IPMI and Redfish.
    installed: str | None = None

    @property
    def port(self) -> str:
        """The port alone, to look the machine up by."""
        return self.address.rpartition(":")[2]


class Lab:
    """The lab behind an address."""

    def __init__(self, url: str, password: str | None = None) -> None:
        self.username, self.password = USERNAME, password or LAB_PASSWORD
        self._http = httpx.Client(base_url=url, timeout=10, trust_env=False)

    def machines(self, count: int) -> list[Machine]:
        """The first machines; raises `NotFound` when there are fewer."""
        found = [_machine(each) for each in self._json("GET", "/machines")]
        if len(found) < count:
            raise NotFound(f"The demo needs {count} machines, the lab has {len(found)}.")
        return found[:count]

    def machine(self, machine_id: str) -> Machine:
        """One machine as it is now."""
        return _machine(self._json("GET", f"/machines/{machine_id}"))

    def change(self, machine_id: str, changes: Mapping[str, object]) -> None:
        """Break something, or mend it."""
        self._json("PATCH", f"/machines/{machine_id}", changes)

    def kubeconfig(self) -> str:
        """How to get into the lab's management cluster."""
        return self._http.get("/kube/kubeconfig").raise_for_status().text

    def fail_cluster(self, name: str, why: str) -> None:
        """Let nobody build a cluster of this name."""
        self._json("PATCH", f"/kube/{MANAGEMENT}", {"special": {"clusters": {name: {"fail": why}}}})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def _json(self, method: str, path: str, body: object = None) -> Any:
        return self._http.request(method, path, json=body).raise_for_status().json()


def _machine(facts: Mapping[str, Any]) -> Machine:
    address = facts.get("ipmiAddress") or urlsplit(str(facts["redfishUrl"])).netloc
    return Machine(id=facts["id"], address=address, installed=facts.get("installed"))

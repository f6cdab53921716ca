"""`client.servers`: register machines and let runs work on them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from windlass.accepted import Accepted, accepted
from windlass.decode import body
from windlass.models import Plan, Server
from windlass.pages import Page, one, read_every, read_page
from windlass.session import Session

PATH = "/v1/servers"


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Everything about servers."""

    session: Session

    def list(
        self,
        /,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        page: int | None = None,
        **filters: object,
    ) -> Page[Server]:
        """One page; filters: ``state``, ``pool_id``, ``tag``, ``health``, ``q`` (name, serial, address)."""
        return read_page(
            self.session, PATH, Server, {**body(**filters), "limit": limit, "cursor": cursor, "page": page}
        )

    def each(self, /, **filters: object) -> Iterator[Server]:
        """All servers, with the filters of `list`."""
        return read_every(self.session, PATH, Server, {**body(**filters), "limit": 100})

    def get(self, server_id: str) -> Server:
        """One server, with what its state permits now."""
        return one(Server, self.session.get(_path(server_id)))

    def register(
        self, /, *, protocol: str, bmc_address: str, username: str, password: str, **values: object
    ) -> Accepted[Server]:
        """Take a machine into the inventory.

        `protocol` is ipmi or redfish, `bmc_address` is host:port. Values: ``display_name``, ``boot_mac``,
        ``tags``, ``persona``, ``pool_id``, ``description``. Raises `Conflict` when the address is known.
        """
        return accepted(
            Server,
            self.session.post(PATH, _registration(protocol, bmc_address, username, password, values)),
        )

    def plan_register(
        self, /, *, protocol: str, bmc_address: str, username: str, password: str, **values: object
    ) -> Plan:
        """What `register` would do; nothing is stored."""
        order = _registration(protocol, bmc_address, username, password, values)
        return Plan.of(self.session.post(PATH, order, {"dryRun": True}).data)

    def import_(self, items: Sequence[Mapping[str, object]]) -> Sequence[Mapping[str, Any]]:
        """Register many; one result for each, in order: ``{index, status, data | error}``."""
        data = self.session.post(f"{PATH}:import", list(items)).data
        results: Sequence[Mapping[str, object]] = data.get("results", ()) if isinstance(data, dict) else data
        return results

    def update(self, /, server_id: str, *, if_match: str | None = None, **changes: object) -> Server:
        """Change ``display_name``, ``description``, ``tags``, ``pool_id`` or ``persona``."""
        return one(Server, self.session.patch(_path(server_id), body(**changes), if_match))

    def trust_certificate(self, server_id: str, fingerprint: str | None) -> None:
        """Know the controller by this certificate (SHA-256), or with None by the one that it shows next."""
        self.session.put(f"{_path(server_id)}/certificate", {"fingerprint": fingerprint})

    def set_credential(self, server_id: str, *, username: str, password: str) -> None:
        """Replace what the service logs in to the BMC with."""
        self.session.put(f"{_path(server_id)}/credential", {"username": username, "password": password})

    def act(self, /, server_id: str, action: str, **values: object) -> Accepted[Server]:
        """Start an action: inspect, provision, powerOn, powerOff, reboot, deprovision, maintenance.

        Raises `InvalidState` when the server's state does not allow it, `Conflict` with
        ``details["holder"]`` when another run holds the server; ``on_conflict="queue"`` waits instead.
        """
        query = {"onConflict": values.pop("on_conflict", None)}
        order = body(action=action, **values)
        return accepted(Server, self.session.post(f"{_path(server_id)}/actions", order, query))

    def plan(self, /, server_id: str, action: str, **values: object) -> Plan:
        """What `act` would do; nothing is stored."""
        order = body(action=action, **values)
        return Plan.of(self.session.post(f"{_path(server_id)}/actions", order, {"dryRun": True}).data)

    def inspect(self, /, server_id: str, **options: object) -> Accepted[Server]:
        """Read what the machine consists of."""
        return self.act(server_id, "inspect", **options)

    def provision(
        self, /, server_id: str, image: Mapping[str, object], **options: object
    ) -> Accepted[Server]:
        """Install an operating system from ``image`` {url, checksum, checksumType, format}."""
        return self.act(server_id, "provision", image=image, **options)

    def power(self, /, server_id: str, on: bool, **options: object) -> Accepted[Server]:
        """Switch on or off; being so already counts as done."""
        return self.act(server_id, "powerOn" if on else "powerOff", **options)

    def reboot(self, /, server_id: str, *, mode: str | None = None, **options: object) -> Accepted[Server]:
        """Start anew; `mode` is soft or hard."""
        return self.act(server_id, "reboot", mode=mode, **options)

    def maintenance(self, /, server_id: str, enabled: bool, **options: object) -> Accepted[Server]:
        """Set or clear the flag that keeps a server out of use."""
        return self.act(server_id, "maintenance", enabled=enabled, **options)

    def deprovision(self, /, server_id: str, **options: object) -> Accepted[Server]:
        """Give a provisioned server back."""
        return self.act(server_id, "deprovision", **options)

    def decommission(self, server_id: str, *, force: bool | None = None) -> Accepted[Server]:
        """Take a machine out of the inventory; `force` also when it does not answer."""
        return accepted(Server, self.session.delete(_path(server_id), {"force": force}))

    def plan_decommission(self, server_id: str, *, force: bool | None = None) -> Plan:
        """What `decommission` would do; nothing is changed."""
        return Plan.of(self.session.delete(_path(server_id), {"force": force, "dryRun": True}).data)

    def provision_from_pool(
        self, /, pool_id: str, image: Mapping[str, object], *, count: int | None = None, **options: object
    ) -> Sequence[Mapping[str, Any]]:
        """Take `count` available servers of a pool and install them; the results as sent.

        Raises `Conflict` with the code POOL_CAPACITY_EXCEEDED when there are not enough.
        """
        order = body(pool_id=pool_id, image=image, count=count, **options)
        data = self.session.post(f"{PATH}/provision", order).data
        results: Sequence[Mapping[str, object]] = (
            data.get("results", [data]) if isinstance(data, dict) else data
        )
        return results


def _path(server_id: str) -> str:
    return f"{PATH}/{quote(server_id, safe='')}"


def _registration(
    protocol: str, bmc_address: str, username: str, password: str, values: Mapping[str, object]
) -> dict[str, object]:
    credential = {"username": username, "password": password}
    return body(protocol=protocol, bmc_address=bmc_address, bmc_credential=credential, **values)

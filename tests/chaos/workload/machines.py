"""The lab's machines in the inventory of the site: what hard reboots, the at-most-once verb, are sent to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from tests.chaos.workload.mix import UNNUMBERED, Order
from tests.support.plain import http
from tests.support.servers import until
from windlass import Client

if TYPE_CHECKING:
    from tests.chaos.site import Site

USER = "admin"
REBOOT: Mapping[str, Any] = {"action": "reboot", "mode": "hard"}
TYPE = "server.lifecycle"
STEP = "hard-reset"
READY_S = 60.0


@dataclass(frozen=True, kw_only=True)
class Reset:
    """A chassis reset that a machine has really seen."""

    machine: str
    at: int  # Milliseconds since 1970.


class Machines:
    """Registers every machine of the lab once; afterwards it knows which server is which."""

    def __init__(self, site: "Site", password: str) -> None:
        self.servers: dict[str, str] = {}  # Server id to the lab's machine id.
        self._url = site.lab_url
        client = Client(site.url)
        machines = http.get(f"{self._url}/machines").json()
        for machine in machines:
            self._patch(machine["id"], power="on", powerDelayMs=0)
            protocol = "ipmi" if len(self.servers) % 2 else "redfish"
            address = machine["ipmiAddress"] if protocol == "ipmi" else _host_port(machine["redfishUrl"])
            accepted = client.servers.register(
                protocol=protocol, bmc_address=address, username=USER, password=password
            )
            self.servers[accepted.resource.id] = machine["id"]
        for server in self.servers:
            until(lambda one=server: client.servers.get(one).state == "registered", READY_S, server)  # type: ignore[misc]
        client.close()

    def reboots(self, rng: Random, count: int = 2) -> list[Order]:
        """Orders to reboot some of them the hard way."""
        chosen = rng.sample(sorted(self.servers), count)
        return [Order(number=UNNUMBERED, type=TYPE, given=dict(REBOOT), resource=one) for one in chosen]

    def resets(self) -> list[Reset]:
        """Every reset so far, oldest first."""
        resets = http.get(f"{self._url}/ledger", params={"effect": "reset"}).json()
        return [Reset(machine=one["machine"], at=one["at"]) for one in resets]

    def sent(self, server_id: str, since: int) -> bool:
        """Whether the machine of a server was reset since then: what an operator sees there."""
        machine = self.servers[server_id]
        return any(one.machine == machine and one.at >= since for one in self.resets())

    def _patch(self, machine: str, **changes: Any) -> None:
        http.patch(f"{self._url}/machines/{machine}", json=changes).raise_for_status()


def _host_port(url: str) -> str:
    return url.partition("://")[2].rstrip("/")


def resets_of(
    runs: Sequence[Mapping[str, Any]],
    events: Mapping[str, Sequence[Mapping[str, Any]]],
    machines: Mapping[str, str],
    resets: Sequence[Reset],
) -> Iterator[tuple[Mapping[str, Any], int]]:
    """Each hard reboot with the number of resets that its machine saw while the run held it."""
    for row in runs:
        if row["type"] != TYPE or (row["input"] or {}).get("mode") != "hard":
            continue
        times = {one["type"]: one["at"] for one in events.get(row["id"], ())}
        since, until_ = times.get("lock.granted"), times.get("lock.released")
        machine = machines.get(row["resource_id"])
        if since is not None:
            mine = [one for one in resets if one.machine == machine and since <= one.at]
            yield row, sum(until_ is None or one.at <= until_ for one in mine)

"""A site as its operator sees it: the running service, its client, and machines that can be broken."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any

from app.lab import Lab
from app.lab import Machine as Simulated
from tests.support.plain import http
from tests.support.servers import until
from tests.support.stack import Stack
from windlass import Client
from windlass.models import Run, Server

USER, PASSWORD = "bmc-canary", "Kanarienvogel-4711"  # Found nowhere but in the sealed credential.
IMAGE = {"url": "http://images.example/debian-12.qcow2", "checksum": "ab12", "checksumType": "sha256"}
# What a deprovisioning does to a machine that has been turned off.
WIPED = ["power.on", "boot.started network", "wipe.started", "wipe.done", "power.off", "boot default"]
PATIENCE_S = 300.0
QUIET = ("login", "logout", "install.called")  # Lines of the ledger that change nothing.


@dataclass(frozen=True, kw_only=True)
class Service:
    """A running service and the lab whose machines it works on; shared by many tests."""

    stack: Stack
    client: Client
    lab: Lab
    unused: Iterator[Simulated]


@dataclass(kw_only=True)
class Machine:
    """A simulated machine that belongs to one test, and the server it is registered as."""

    site: "Site"
    bmc: Simulated
    id: str = ""
    mark: int = 0

    @property
    def address(self) -> str:
        """host:port of its controller."""
        port = self.bmc.ipmi_port if self.site.protocol == "ipmi" else self.bmc.redfish_port
        return f"127.0.0.1:{port}"

    @property
    def server(self) -> Server:
        """The server as the API shows it now."""
        return self.site.client.servers.get(self.id)

    @property
    def raw(self) -> dict[str, Any]:
        """Everything that the API shows of the server."""
        answer = http.get(f"{self.site.client.base_url}/v1/servers/{self.id}")
        return dict(answer.raise_for_status().json()["data"])

    def register(self, password: str = PASSWORD, **values: Any) -> str:
        """Ask for its registration; the id of the run."""
        given = {"protocol": self.site.protocol, "bmc_address": self.address, "username": USER}
        accepted = self.site.client.servers.register(**given, password=password, **values)
        self.id = accepted.resource.id
        return accepted.run_id

    def act(self, action: str, **values: Any) -> str:
        """Ask for an action; the id of the run."""
        return self.site.client.servers.act(self.id, action, **values).run_id

    def decommission(self, **query: Any) -> str:
        """Ask for its retirement; the id of the run."""
        return self.site.client.servers.decommission(self.id, **query).run_id

    def set_credential(self, password: str = PASSWORD) -> None:
        """Tell the service another password."""
        self.site.client.servers.set_credential(self.id, username=USER, password=password)

    def set(self, **changes: Any) -> None:
        """Change the simulated machine behind the service's back."""
        url = f"{self.site.service.lab.control_url}/machines/{self.bmc.id}"
        http.patch(url, json=changes).raise_for_status()

    def break_(self, **faults: Any) -> None:
        """Break its controller in one way, which replaces any other."""
        self.set(faults=faults)

    def mend(self) -> None:
        """Its controller works as it should."""
        self.set(faults={})

    def forget(self) -> None:
        """Leave out of `effects` what happened so far."""
        lines = self.site.service.lab.ledger.read(self.bmc.id)
        self.mark = lines[-1].seq if lines else 0

    @property
    def effects(self) -> list[str]:
        """What really happened to the machine, in order, without sessions and calls."""
        lines = self.site.service.lab.ledger.read(self.bmc.id, self.mark)
        told = [one for one in lines if not one.effect.startswith(QUIET)]
        return [f"{one.effect} {one.value}" if "boot" in one.effect else one.effect for one in told]

    def count(self, effect: str) -> int:
        """How often something happened to it."""
        return len(self.site.service.lab.ledger.read(self.bmc.id, self.mark, effect))

    def happens(self, effect: str, times: int = 1) -> None:
        """Wait until something has happened to it so many times."""
        until(lambda: self.count(effect) >= times, PATIENCE_S, f"{effect} of {self.bmc.id}")

    def refuses_logins_when_off(self, **more: Any) -> None:
        """Refuse every session that begins while the machine is off; what is under way goes on."""
        self.break_(wrongPassword=True, whenOff=True, **more)


@dataclass(frozen=True, kw_only=True)
class Site:
    """What one test works with: one protocol, and machines of its own."""

    service: Service
    protocol: str
    taken: list[Machine] = field(default_factory=list)

    @property
    def client(self) -> Client:
        """The public client."""
        return self.service.client

    def machine(self, **changes: Any) -> Machine:
        """A machine that no run has used, not registered yet."""
        machine = Machine(site=self, bmc=next(self.service.unused))
        self.taken.append(machine)
        if changes:
            machine.set(**changes)
        return machine

    def registered(self, **values: Any) -> Machine:
        """A machine in the inventory, switched on."""
        machine = self.machine(power="on")
        assert self.ended(machine.register(**values)).status == "completed"
        machine.forget()
        return machine

    def available(self, **values: Any) -> Machine:
        """A machine that waits for work, switched on."""
        machine = self.registered(**values)
        assert self.ended(machine.act("inspect")).status == "completed"
        machine.forget()
        return machine

    def provisioned(self) -> Machine:
        """A machine that runs an image."""
        machine = self.available()
        assert self.ended(machine.act("provision", image=IMAGE)).status == "completed"
        machine.forget()
        return machine

    def ended(self, run_id: str) -> Run:
        """The run once it has ended."""
        return self.client.runs.wait(run_id, timeout_s=PATIENCE_S)

    def settled(self, run_id: str) -> Run:
        """The run once it has ended or waits for an operator."""
        return self.client.runs.wait(run_id, timeout_s=PATIENCE_S, until=attrgetter("settled"))

    def reached(self, run_id: str, wanted: Callable[[Run], bool]) -> Run:
        """The run as soon as something holds for it, which may be over soon; fails when it ends before."""
        run = self.client.runs.wait(
            run_id, timeout_s=PATIENCE_S, every_s=0.05, until=lambda run: run.ended or wanted(run)
        )
        assert wanted(run), f"{run_id} is {run.status}"
        return run

    def running(self, run_id: str, step: str) -> Run:
        """The run once this step runs."""
        return self.reached(run_id, lambda run: steps(run).get(step) == "running")

    def events(self, run_id: str, kind: str) -> list[Mapping[str, Any]]:
        """The payloads of the run's events of one type."""
        return [one.payload or {} for one in self.client.runs.events(run_id) if one.type == kind]


def steps(run: Run) -> dict[str, str]:
    """The steps of a run in order, each with its status."""
    return {step.name: step.status for step in run.steps}


def undone(run: Run) -> list[str]:
    """The steps that were undone, in the order in which it was done."""
    return [str(step.undoes) for step in run.compensation if step.status == "completed"]


def failure(run: Run) -> tuple[str, str | None]:
    """The code of the run's error and the step that it names."""
    assert run.error is not None
    return run.error.code, run.error.step

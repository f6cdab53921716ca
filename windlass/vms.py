"""`client.vms`: virtual machines, and the runs that make, switch and delete them."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from windlass.accepted import Accepted, accepted
from windlass.decode import body
from windlass.models import Plan, Vm
from windlass.pages import Page, one, read_every, read_page
from windlass.session import Session

PATH = "/v1/vms"


@dataclass(frozen=True, kw_only=True)
class Vms:
    """Everything about virtual machines; what is observed of them is as old as ``observed_age_ms`` says."""

    session: Session

    def list(
        self,
        /,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        page: int | None = None,
        **filters: object,
    ) -> Page[Vm]:
        """One page; filters: ``state``, ``management_id``, ``name``, ``tag``, ``q``."""
        asked = {**body(**filters), "limit": limit, "cursor": cursor, "page": page}
        return read_page(self.session, PATH, Vm, asked)

    def each(self, /, **filters: object) -> Iterator[Vm]:
        """All machines, with the filters of `list`."""
        return read_every(self.session, PATH, Vm, {**body(**filters), "limit": 100})

    def get(self, vm_id: str) -> Vm:
        """One machine, with what its state permits now."""
        return one(Vm, self.session.get(_path(vm_id)))

    def create(self, /, **values: object) -> Accepted[Vm]:
        """Make a machine and start it; raises `Conflict` when its name is taken.

        Values: ``name``, ``management_id``, ``display_name``, ``description``, ``tags``; its size as
        ``type`` or as ``cpus`` and ``memory_mb``; ``run_strategy``, ``hostname``, ``labels``, and lists as
        the API spells them: ``disks``, ``nics``, ``gpus``, ``instance_metadata``.
        """
        return accepted(Vm, self.session.post(PATH, body(**values)))

    def plan_create(self, /, **values: object) -> Plan:
        """What `create` would do; nothing is stored."""
        return Plan.of(self.session.post(PATH, body(**values), {"dryRun": True}).data)

    def act(self, /, vm_id: str, action: str, **values: object) -> Accepted[Vm]:
        """Start, stop, restart, pause or unpause it; values: ``grace_period_seconds``, ``force``.

        Raises `InvalidState` when its state does not allow it, `Conflict` with ``details["holder"]`` when
        another run holds it; ``on_conflict="queue"`` waits instead.
        """
        query = {"onConflict": values.pop("on_conflict", None)}
        order = body(action=action, **values)
        return accepted(Vm, self.session.post(f"{_path(vm_id)}/actions", order, query))

    def plan(self, /, vm_id: str, action: str, **values: object) -> Plan:
        """What `act` would do; nothing is stored."""
        order = body(action=action, **values)
        return Plan.of(self.session.post(f"{_path(vm_id)}/actions", order, {"dryRun": True}).data)

    def delete(
        self, vm_id: str, *, force: bool | None = None, on_conflict: str | None = None
    ) -> Accepted[Vm]:
        """Stop it and delete it; with `force` without asking its system to go."""
        query = {"force": force, "onConflict": on_conflict}
        return accepted(Vm, self.session.delete(_path(vm_id), query))

    def plan_delete(self, vm_id: str) -> Plan:
        """What `delete` would do; nothing is changed."""
        return Plan.of(self.session.delete(_path(vm_id), {"dryRun": True}).data)


def _path(vm_id: str) -> str:
    return f"{PATH}/{quote(vm_id, safe='')}"

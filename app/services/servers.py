"""Servers of the inventory. What changes the machine itself is a run; this module starts it."""

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import structlog

from app.auth.keys import Principal
from app.auth.seal import binding
from app.domain import bmc_address as addresses
from app.domain import servers as states
from app.domain.errors import Conflict, NotFound, PoolCapacityExceeded, PreconditionFailed, ValidationFailed
from app.domain.ids import new_id
from app.domain.rows.runs import RunRow
from app.engine.transitions import accept as accepting
from app.engine.transitions.accept import Order
from app.engine.transitions.journal import Journal, Message
from app.record.inventory import gates, servers
from app.record.session import Tx
from app.services import audit
from app.services.context import AppContext
from app.services.runs import accept_order, check_order, shows_itself

Row = dict[str, Any]
Started = tuple[Row, RunRow]  # The server and its run.
CHANGEABLE = ("display_name", "description", "tags", "pool_id", "persona")
T = TypeVar("T")
log = structlog.get_logger()
LIFECYCLE = frozenset({"powerOn", "powerOff", "reboot", "deprovision", "maintenance"})


def register(
    world: AppContext, principal: Principal, values: Mapping[str, object], **options: Any
) -> Started:
    """Take a machine into the inventory and start `server.register`; its controller's address must be new."""
    server_id, run_id = new_id("srv"), new_id("run")
    row = _new_row(world, server_id, values)
    said = {name: value for name, value in values.items() if name != "bmc_credential"}
    order = Order(type="server.register", resource_id=server_id, identity=said, **options)

    def work(tx: Tx) -> tuple[Started, list[Message]]:
        if servers.read_server(tx, server_id) is None and not accepting.known(tx, order):
            _check_pool(tx, row)
            if not servers.insert_server(tx, {**row, "run_id": run_id}):
                raise _taken(tx, row["bmc_address"])
        return _accepted(tx, world, run_id, order, principal)

    return _rung(world, world.db.write(work))


def action(
    world: AppContext,
    principal: Principal,
    server_id: str,
    action: str,
    values: Mapping[str, object],
    **options: object,
) -> Started:
    """Start the run that carries out an action on a server."""
    run_id = new_id("run")
    order = order_of(server_id, action, values, **options)

    def work(tx: Tx) -> tuple[Started, list[Message]]:
        check_order(tx, order)
        return _accepted(tx, world, run_id, order, principal)

    return _rung(world, world.db.write(work))


def order_of(server_id: str, action: str, values: Mapping[str, object], **options: Any) -> Order:
    """The order that an action on a server amounts to."""
    kind = "server.lifecycle" if action in LIFECYCLE else f"server.{action}"
    given = dict(values)
    if action in LIFECYCLE:
        given["action"] = action
    return Order(type=kind, input=given, resource_id=server_id, **options)


def provision_from_pool(
    world: AppContext,
    principal: Principal,
    pool_id: str,
    count: int,
    values: Mapping[str, object],
    **options: object,
) -> list[Started]:
    """Take ``count`` free machines of a pool and install each; all or none are taken.

    The same order under the same key has the machines that it took first; raises `PoolCapacityExceeded`.
    """
    run_ids = [new_id("run") for _ in range(count)]
    # Which machines are free is another matter each time: an order is told by what it asks for.
    said = {"poolId": pool_id, "count": count}

    def order_at(place: int, server_id: str) -> Order:
        return order_of(server_id, "provision", values, identity=said, **_keyed(options, place))

    def work(tx: Tx) -> tuple[list[Started], list[Message]]:
        found = servers.read_pool(tx, pool_id, lock=True)
        if found is None:
            raise NotFound(f"There is no pool {pool_id}")
        taken = _taken_before(tx, [(run_id, order_at(place, "")) for place, run_id in enumerate(run_ids)])
        if taken:
            return taken, []
        free = servers.free_in_pool(tx, pool_id, count)
        if len(free) < count:
            raise PoolCapacityExceeded(
                f"Not enough available servers in pool {found['name']}: {count} wanted, {len(free)} free",
                wanted=count,
                free=len(free),
            )
        started: list[Started] = []
        messages: list[Message] = []
        for place, (run_id, server) in enumerate(zip(run_ids, free, strict=True)):
            one, more = _accepted(tx, world, run_id, order_at(place, server["id"]), principal)
            servers.change_server(tx, server["id"], {"reserved_by": run_id})
            started.append(one)
            messages.extend(more)
        return started, messages

    return _rung(world, world.db.write(work))


def decommission(
    world: AppContext, principal: Principal, server_id: str, force: bool = False, **options: object
) -> Started:
    """Start the run that turns a machine off and takes it out of the inventory."""
    return action(world, principal, server_id, "decommission", {"force": force}, **options)


def change(
    world: AppContext,
    principal: Principal,
    server_id: str,
    changes: Mapping[str, Any],
    version: int | None = None,
) -> Row:
    """Change what people say about a server; with a version only when nobody else did meanwhile."""

    def work(tx: Tx) -> Row:
        row = _known(tx, server_id, version)
        wanted = {name: changes[name] for name in CHANGEABLE if name in changes}
        if "system_id" in changes:
            wanted["bmc_system"] = changes["system_id"]
        if wanted.get("pool_id") and servers.read_pool(tx, wanted["pool_id"]) is None:
            raise ValidationFailed.of("poolId", f"There is no pool {wanted['pool_id']}")
        servers.change_server(tx, row["id"], wanted)
        changed = _known(tx, server_id)
        audit.note(tx, principal, "server.change", server_id, before=row, after=changed)
        return changed

    return world.db.write(work)


def set_credential(
    world: AppContext, principal: Principal, server_id: str, credential: Mapping[str, str]
) -> Row:
    """Seal a new credential for a server's controller; refused logins are forgiven."""

    def work(tx: Tx) -> Row:
        row = _known(tx, server_id)
        version = row["credential_version"] + 1
        sealed = _sealed(world, row["tenant_id"], server_id, version, credential)
        servers.change_server(tx, server_id, {"credential": sealed, "credential_version": version})
        gates.forgive(tx, server_id)
        said = {"credential_version": version}
        audit.note(tx, principal, "server.credential", server_id, before=_version_of(row), after=said)
        return _known(tx, server_id)

    return world.db.write(work)


def trust_certificate(
    world: AppContext, principal: Principal, server_id: str, fingerprint: str | None
) -> Row:
    """Know a Redfish controller by another certificate: this one, or the one that it shows next."""

    def work(tx: Tx) -> Row:
        row = _known(tx, server_id)
        if row["protocol"] != "redfish":
            raise ValidationFailed.of(
                "fingerprint", f"Server {server_id} speaks IPMI, which has no certificate"
            )
        servers.change_server(tx, server_id, {"bmc_fingerprint": fingerprint})
        was = {"bmc_fingerprint": row["bmc_fingerprint"]}
        said = {"bmc_fingerprint": fingerprint}
        audit.note(tx, principal, "server.certificate", server_id, before=was, after=said)
        return row

    before = world.db.write(work)
    log.info(
        "server.certificate_trusted",
        server=server_id,
        actor=principal.actor,
        before=before["bmc_fingerprint"],
        after=fingerprint or "what it shows next",
    )
    return before


def _version_of(row: Row) -> Row:
    return {"credential_version": row["credential_version"]}


def _accepted(
    tx: Tx, world: AppContext, run_id: str, order: Order, principal: Principal
) -> tuple[Started, list[Message]]:
    j = accept_order(tx, world, run_id, order, principal)
    return _begun(tx, j, order), j.messages


def _taken_before(tx: Tx, orders: Sequence[tuple[str, Order]]) -> list[Started]:
    """What orders that are sent again have already; raises `Conflict` where others have their keys."""
    known = [(accepting.existing(tx, run_id, order), order) for run_id, order in orders]
    return [_begun(tx, j, order) for j, order in known if j is not None]


def _begun(tx: Tx, j: Journal, order: Order) -> Started:
    """The server of a run that was accepted, now or before."""
    row = servers.read_server(tx, str(j.run["resource_id"]))
    assert row is not None
    return row if shows_itself(j.run) else _transitional(row, order), j.run


def _transitional(row: Row, order: Order) -> Row:
    """The server as the accepted run will show it: the step `validate` writes it."""
    action = str(order.input.get("action") or order.type.partition(".")[2])
    return {**row, "state": states.TRANSIENT.get(action, row["state"])}


def _rung(world: AppContext, done: tuple[T, Sequence[Message]]) -> T:
    started, messages = done
    world.publish(messages)
    return started


def _keyed(options: Mapping[str, object], place: int) -> dict[str, object]:
    key = options.get("idempotency_key")
    return {**options, "idempotency_key": f"{key}/{place}" if key else None}


def _known(tx: Tx, server_id: str, version: int | None = None) -> Row:
    row = servers.read_server(tx, server_id, lock=True)
    if row is None or row["state"] == "decommissioned":
        raise NotFound(f"There is no server {server_id}")
    if version is not None and version != row["version"]:
        raise PreconditionFailed(
            f"Server {server_id} is at version {row['version']} now", version=row["version"]
        )
    return row


def _new_row(world: AppContext, server_id: str, values: Mapping[str, Any]) -> Row:
    tenant = world.db.tenant
    protocol = str(values.get("protocol") or "ipmi")
    return {
        "id": server_id,
        **{name: values.get(name) for name in CHANGEABLE},
        "tags": list(values.get("tags") or []),
        "protocol": protocol,
        "bmc_address": bmc_address(world, str(values["bmc_address"]), protocol),
        "bmc_system": values.get("system_id"),
        "boot_mac": values.get("boot_mac"),
        "credential": _sealed(world, tenant, server_id, 1, values["bmc_credential"]),
        "credential_version": 1,
        "state": "registering",
        "health": "unknown",
        "version": 1,
    }


def bmc_address(world: AppContext, text: str, protocol: str) -> str:
    """The one form of a controller's address; raises `ValidationFailed` on ``bmcAddress``."""
    try:
        address = addresses.normal(text, protocol)
    except ValueError as error:
        raise ValidationFailed.of("bmcAddress", str(error)) from None
    _check_network(world, addresses.split(address)[0])
    return address


def _check_network(world: AppContext, host: str) -> None:
    allowed = [one.strip() for one in world.settings.bmc_networks.split(",") if one.strip()]
    if not allowed:
        return
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        raise ValidationFailed.of(
            "bmcAddress", "Must be an IP address: WINDLASS_BMC_NETWORKS is set"
        ) from None
    if not any(address in ipaddress.ip_network(one) for one in allowed):
        raise ValidationFailed.of("bmcAddress", f"{host} lies outside WINDLASS_BMC_NETWORKS")


def _check_pool(tx: Tx, row: Row) -> None:
    if row["pool_id"] and servers.read_pool(tx, row["pool_id"]) is None:
        raise ValidationFailed.of("poolId", f"There is no pool {row['pool_id']}")


def _taken(tx: Tx, address: str) -> Conflict:
    server_id = servers.server_at(tx, address)
    return Conflict(f"Server {server_id} has the controller at {address} already", server=server_id)


def _sealed(
    world: AppContext, tenant: str, server_id: str, version: int, credential: Mapping[str, str]
) -> str:
    bound = binding(tenant_id=tenant, machine_id=server_id, version=version)
    return world.sealer.seal({"username": credential["username"], "password": credential["password"]}, bound)

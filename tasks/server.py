"""Steps on bare-metal servers: each is a wish for a state, and its undo stands under it."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from app.domain import servers as states
from app.domain.errors import BmcConnectionFailed, BmcError, InstallFailed, Permanent, StepTimedOut
from app.domain.machine_identity import identities
from app.domain.policy import backoff
from app.providers.bmc import Identity, PowerState
from app.record.inventory import in_transit, machines, servers
from app.record.runs import runs
from app.record.session import Tx
from tasks.context import Context
from tasks.step import Again, NothingHappened, operation, step

PATIENT_BMC = backoff("2s", limit=4, cap="20s")
POLLS = backoff("5s", factor=1.5, cap="30s", limit=0, jitter=False)
DRAIN_S = 60.0
UNDO_BMC = backoff("2s", cap="5m", limit=0, deadline="12h")  # A firmware update of a controller takes hours.
MAC = re.compile("([0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}")
SERIALS = ("Serial Number", "Chassis serial number")  # Of the product and of its chassis (IPMI FRU).


class WrongState(Permanent):
    """The server is no longer in a state that allows this."""

    code = "INVALID_STATE_TRANSITION"
    nothing_happened = True


class AnotherMachine(Permanent):
    """The machine is not the one that the server stands for."""

    code = "CONFLICT"
    nothing_happened = True


class WipeFailed(Permanent):
    """The installer did not wipe the disks of a server."""

    code = "WIPE_FAILED"


@step(gives=("was", "bmc_address"), effect=False)
def validate(ctx: Context, server_id: str, action: str, force: bool = False) -> dict[str, object]:
    """Check that the action is still allowed, and show in the server's state that it has begun."""

    def begin(tx: Tx) -> dict[str, object]:
        row = servers.read_server(tx, server_id, lock=True)
        if row is None:
            raise WrongState(f"Server {server_id} is gone", server=server_id)
        shown = states.TRANSIENT.get(action, row["state"])
        # A repeated attempt finds its own mark, which no action would be allowed from.
        begun = row["state"] == shown and action in states.TRANSIENT
        it = states.Situation.of(row, force=force)
        # A retry takes over the reservation of the run that it repeats.
        if row["reserved_by"] and _ours(tx, ctx, row["reserved_by"]):
            it = replace(it, in_use=False)
        if not begun and not states.allows(row["state"], action, it):
            raise WrongState(
                f"Server {server_id} is {row['state']}, which does not allow {action}", state=row["state"]
            )
        was = row["state_before"] if begun else row["state"]
        servers.change_server(tx, server_id, {"state": shown, "state_before": was, "run_id": ctx.run_id})
        return {"was": was, "bmc_address": row["bmc_address"]}

    return ctx.db.write(begin)


@validate.undo
def mark_error(ctx: Context, server_id: str, was: str | None = None) -> None:
    """After a failure the server says why and names the run; after a cancel it is what it was.

    What only switches the power leaves alone what the machine is: one in use stays in use.
    """

    def mark(tx: Tx) -> None:
        row = servers.read_server(tx, server_id, lock=True)
        # The attempt of this run may have been lost before it marked the server: then what shows is an
        # earlier run's.
        if row is None or not _ours(tx, ctx, row["run_id"]):
            return
        before = was or row["state_before"]
        cancelled = ctx.goal == "cancelled"
        state = row["state"]
        if state in states.TRANSIENT.values():
            state = before if cancelled and before not in (None, "registering") else "error"
        changes: dict[str, object] = {"state": state, "state_before": None, "run_id": ctx.run_id}
        run = runs.read_run(tx, ctx.run_id)
        if run is not None and (not cancelled or state == "error"):
            why = in_transit.reason(run, "was cancelled" if cancelled else "failed")
            changes |= {"health": "unhealthy", "failure_reasons": [why]}
        servers.change_server(tx, server_id, changes)

    ctx.db.write(mark)


@step
def settle(
    ctx: Context, server_id: str, was: str | None, state: str | None = None, proven: bool = True
) -> None:
    """Show the state that the server has reached; without one it is what it was, or what an error hid.

    ``proven``: the machine did what it was asked, so it is well.
    """

    def reach(tx: Tx) -> None:
        row = servers.read_server(tx, server_id, lock=True)
        if row is None:
            return
        reached = state or (states.restored(row) if was == "error" and proven else was)
        changes: dict[str, object] = {"state": reached, "state_before": None, "run_id": ctx.run_id}
        if proven:
            changes |= {"health": "healthy", "failure_reasons": []}
        servers.change_server(tx, server_id, changes)

    ctx.db.write(reach)


@step(queue="bmc", retry=PATIENT_BMC, timeout="45s")
def connect_bmc(ctx: Context, server_id: str) -> None:
    """Reach the controller and prove it by a command; a Redfish certificate is pinned at first sight."""
    bmc = ctx.bmc(server_id)
    pinned = _row(ctx, server_id)["bmc_fingerprint"]
    if pinned is not None:
        ctx.log("certificate pinned", fingerprint=pinned)
    identity = bmc.identify()
    ctx.log(
        "controller answered", vendor=identity.vendor, product=identity.product, firmware=identity.firmware
    )


@step(queue="bmc", retry=PATIENT_BMC, timeout="45s", gives="power_state")
def register_host(ctx: Context, server_id: str) -> dict[str, object]:
    """Record who the machine is and whether it is on; a machine that is in the inventory is refused."""
    bmc = ctx.bmc(server_id)
    identity, power = bmc.identify(), bmc.power()

    def record(tx: Tx) -> None:
        _claim(tx, server_id, identity.guid, [identity.serial])
        seen = {"power": power, "serial": identity.serial, "last_check_at": tx.now}
        servers.change_server(tx, server_id, seen)

    ctx.db.write(record)
    return {"power_state": power}


@step(queue="bmc", retry=PATIENT_BMC, timeout="2m", gives="hardware")
def read_hardware(ctx: Context, server_id: str) -> dict[str, object]:
    """Read what the controller really offers: identity, firmware, sensors, inventory where it exists."""
    ctx.report("asking the controller for identity, firmware, inventory and sensors")
    hardware = ctx.bmc(server_id).hardware()
    for part in hardware.get("unavailable", []):
        ctx.log("not offered by this controller", **part)
    return {"hardware": hardware}


@step(gives="inspected_at")
def save_hardware(ctx: Context, server_id: str, hardware: dict[str, Any]) -> dict[str, object]:
    """Keep what was read; a machine that runs an image is provisioned, any other one available."""

    def keep(tx: Tx) -> dict[str, object]:
        row = servers.read_server(tx, server_id, lock=True) or {}
        serial = next(iter(_serials(hardware, SERIALS)), row.get("serial"))
        # Its chassis may have other nodes.
        _claim(tx, server_id, (hardware.get("identity") or {}).get("guid"), _serials(hardware, SERIALS[:1]))
        reached = "provisioned" if row.get("image") is not None else "available"
        state = {"state": reached, "state_before": None, "run_id": ctx.run_id}
        seen = {"hardware": hardware, "serial": serial, "last_check_at": tx.now}
        if row.get("boot_mac") is None:  # What people said stands.
            seen["boot_mac"] = _mac(hardware)
        healthy = {"health": "healthy", "failure_reasons": []}
        servers.change_server(tx, server_id, {**state, **seen, **healthy})
        return {"inspected_at": tx.now}

    return ctx.db.write(keep)


@step(gives="reserved", effect=False)
def reserve(ctx: Context, server_id: str) -> dict[str, object]:
    """Take the machine out of the free capacity of its pool for this run, which holds its lock."""
    ctx.db.write(lambda tx: servers.change_server(tx, server_id, {"reserved_by": ctx.run_id}))
    return {"reserved": server_id}


@reserve.undo
def release(ctx: Context, server_id: str) -> None:
    """Give the machine back; it may not have been taken."""
    ctx.db.write(lambda tx: servers.change_server(tx, server_id, {"reserved_by": None, "image": None}))


@step(queue="bmc", retry=PATIENT_BMC, timeout="45s")
def prove_identity(ctx: Context, server_id: str) -> None:
    """The controller still speaks for the machine that was inspected, not for one that runs something."""
    identity: Identity = ctx.bmc(server_id).identify()
    told = identities(identity.guid, [identity.serial])

    def check(tx: Tx) -> None:
        known = machines.claims_of(tx, server_id)
        # Only what both tell is compared. A controller that keeps a number back for a while is no other
        # machine.
        for kind in ("guid:", "serial:"):
            was, now = ([one for one in each if one.startswith(kind)] for each in (known, told))
            if was and now and was != now:
                raise AnotherMachine(
                    f"The controller of {server_id} speaks for another machine now: it says {now[0]}, the "
                    f"inventory {was[0]}; if the machine was replaced, inspect the server first"
                )
        _claim(tx, server_id, identity.guid, [identity.serial])

    ctx.db.write(check)


@step(queue="bmc", retry=PATIENT_BMC, timeout="45s")
def boot_from(ctx: Context, server_id: str, device: str) -> None:
    """Choose the device of the next boot and read it back."""
    ctx.bmc(server_id).boot_from(device)
    ctx.log("boot device set", device=device)


@boot_from.undo(retry=UNDO_BMC)
def boot_from_default(ctx: Context, server_id: str) -> None:
    """Let the machine boot as it is set up to."""
    ctx.bmc(server_id).boot_from("default")


@step(queue="bmc", retry=PATIENT_BMC, timeout="90s", gives="power_state")
def power(ctx: Context, server_id: str, state: PowerState, mode: str = "hard") -> dict[str, object]:
    """Bring the machine to a power state and read it back; already being there counts as done."""
    ctx.bmc(server_id).ensure_power(state, soft=mode == "soft" and state == "off", within=60)
    _note_power(ctx, server_id, state)
    return {"power_state": state}


@power.undo(retry=UNDO_BMC)
def power_off(ctx: Context, server_id: str) -> None:
    """A machine whose installation was given up is off."""
    ctx.bmc(server_id).ensure_power("off", within=60)
    _note_power(ctx, server_id, "off")


@step(queue="bmc", retry=PATIENT_BMC, timeout="90s", gives="power_state")
def switch_power(ctx: Context, server_id: str, state: PowerState, mode: str = "hard") -> dict[str, object]:
    """Bring the machine to the power state that was asked for; going back is the caller's wish, not ours."""
    ctx.bmc(server_id).ensure_power(state, soft=mode == "soft" and state == "off", within=60)
    _note_power(ctx, server_id, state)
    return {"power_state": state}


@step(queue="bmc", retry=PATIENT_BMC, timeout="60s", at_most_once=True, alone=True, gives="reset_at")
def hard_reset(ctx: Context, server_id: str) -> dict[str, object]:
    """Send a chassis reset: the one order that is never sent twice for the same operation."""
    # All that can fail without sending anything comes before the intent: from its commit on, this attempt may
    # have sent.
    with ctx.before_order():
        bmc = ctx.bmc(server_id)
    bmc.reset()
    return {"reset_at": _now(ctx)}


@hard_reset.observe
def reset_was_sent(ctx: Context, server_id: str) -> NothingHappened | None:
    """Nothing was sent when the intent was never recorded; otherwise it cannot be told."""
    # A machine looks the same before a reset and after it, so only the intent can tell (chaos: scenario "an
    # order is lost").
    return None if ctx.may_have_ordered() else NothingHappened()


@step(retry=PATIENT_BMC, timeout="30s")
def order_image(ctx: Context, server_id: str, image: dict[str, object], bmc_address: str) -> None:
    """Tell the boot service what the machine gets at its next boot, and whom the installer calls then."""
    # The hook of a later step: an installer may call before that step has begun, and its call is kept
    # (test_a_hook_that_is_called_before_its_step_began_is_kept_for_it).
    ctx.capabilities.boot.order(bmc_address, image, ctx.hook(step="install"))
    ctx.log("installation ordered", image=image.get("url"))


@order_image.undo
def withdraw_image(ctx: Context, server_id: str, bmc_address: str = "") -> None:
    """Withdraw the order: a machine that boots again installs nothing."""
    if bmc_address:
        ctx.capabilities.boot.withdraw(bmc_address)


# A repetition has to boot the machine again: the installer has called, and will not call a second time.
@operation(gives="installed_image", timeout="30m", usual="20m", every=POLLS, begin="boot-from")
def install(ctx: Context, server_id: str, bmc_address: str) -> dict[str, object]:
    """Wait for the installer: it calls the hook, and the boot service is asked now and then."""
    return {"bmcAddress": bmc_address}


@install.poll
def installed(
    ctx: Context, server_id: str, image: dict[str, object], bmc_address: str, called: object = None
) -> Again | dict[str, object]:
    """The installer's call decides; without one the boot service is asked."""
    failure, done = _told(ctx, bmc_address, called, "installed")
    if failure:
        raise InstallFailed(f"The installer of {server_id} reported {failure}")
    if not done:
        return Again("the installer has not called yet")
    return {"installed_image": image}


@step(queue="bmc", retry=PATIENT_BMC, timeout="45s")
def confirm(ctx: Context, server_id: str, installed_image: dict[str, object]) -> None:
    """The machine is on, and the inventory knows what it runs."""
    power = ctx.bmc(server_id).power()
    if power != "on":
        told = power or "in a state without a word here"
        raise BmcConnectionFailed(
            f"Server {server_id} is {told} although its installation ended", reason="off"
        )
    seen = {"image": installed_image, "power": "on", "last_check_at": _now(ctx)}
    ctx.db.write(lambda tx: servers.change_server(tx, server_id, seen))


@step(retry=PATIENT_BMC, timeout="30s")
def order_wipe(ctx: Context, server_id: str, bmc_address: str) -> None:
    """Tell the boot service to erase the machine's disks at its next boot, and whom to call then."""
    ctx.capabilities.boot.wipe(bmc_address, ctx.hook(step="wipe"))
    ctx.log("wipe ordered")


@order_wipe.undo
def withdraw_wipe(ctx: Context, server_id: str, bmc_address: str = "") -> None:
    """Withdraw the order: a machine that boots again keeps what it has."""
    withdraw_image(ctx, server_id, bmc_address)


@operation(gives="wiped_at", timeout="4h", every=POLLS, begin="boot-from")
def wipe(ctx: Context, server_id: str, bmc_address: str) -> dict[str, object]:
    """Wait until the disks are erased: a call of the hook tells it, and the boot service is asked, too."""
    return {"bmcAddress": bmc_address}


@wipe.poll
def wiped(ctx: Context, server_id: str, bmc_address: str, called: object = None) -> Again | dict[str, object]:
    """The eraser's call decides; without one the boot service is asked."""
    failure, done = _told(ctx, bmc_address, called, "wiped")
    if failure:
        raise WipeFailed(f"The disks of {server_id} were not wiped: {failure}")
    if not done:
        return Again("the disks are being wiped")
    return {"wiped_at": _now(ctx)}


def _told(ctx: Context, bmc_address: str, called: Any, done: str) -> tuple[str, bool]:
    """How the order failed, in words, and whether it is done; without a call the boot service is asked."""
    if called is None:
        order = ctx.capabilities.boot.ordered(bmc_address)
        return _failure("failed", order.message) if order.failed else "", getattr(order, done)
    ok = called.get("status") == "ok"
    return "" if ok else _failure(called.get("status"), called.get("message")), ok


def _failure(status: object, message: str | None) -> str:
    return f"{status!r}: {message}" if message else repr(status)


@step
def free(ctx: Context, server_id: str) -> None:
    """The machine belongs to nobody and runs nothing."""
    ctx.db.write(lambda tx: servers.change_server(tx, server_id, {"reserved_by": None, "image": None}))


@step
def set_maintenance(ctx: Context, server_id: str, enabled: bool, reason: str | None = None) -> None:
    """Take the machine out of service, and say why, or back."""
    changes = {"maintenance": enabled, "maintenance_reason": reason if enabled else None}
    ctx.db.write(lambda tx: servers.change_server(tx, server_id, changes))


@step(queue="bmc", retry=PATIENT_BMC, timeout="90s")
def drain(ctx: Context, server_id: str, force: bool = False) -> None:
    """Turn the machine off; with ``force`` a controller that cannot do it does not stand in the way."""
    row = _row(ctx, server_id)
    if row["state_before"] == "error" and row["identified_at"] is None:
        ctx.log("the machine never said who it is, so it is left as it is")  # It may be another server's.
        return
    try:
        bmc = ctx.bmc(server_id)
        bmc.power()  # Silence shows here, within seconds; below it would use up the step's whole time.
        bmc.ensure_power("off", within=DRAIN_S)
    except (BmcError, StepTimedOut, Permanent) as error:
        if not force:
            raise
        ctx.log("the machine was not turned off; going on because of force", why=error.message)


@step
def remove_record(ctx: Context, server_id: str) -> None:
    """Take the machine out of the inventory and forget its credential."""
    changes = {
        "state": "decommissioned",
        "credential": None,
        "reserved_by": None,
        "pool_id": None,
        "image": None,
    }

    def remove(tx: Tx) -> None:
        servers.change_server(tx, server_id, changes)
        machines.release_machine(tx, server_id)

    ctx.db.write(remove)


def _ours(tx: Tx, ctx: Context, run_id: str | None) -> bool:
    """Whether a run is this one or one whose effects this one took over by retrying it."""
    line: str | None = ctx.run_id
    while line is not None and line != run_id:
        line = (runs.read_run(tx, line) or {}).get("retry_of")
    return line is not None


def _mac(hardware: dict[str, Any]) -> str | None:
    """The address of the first network interface that tells one."""
    told = [str(part.get("mac") or "") for part in hardware.get("inventory", ())]
    return next((one.lower() for one in told if MAC.fullmatch(one)), None)


def _serials(hardware: dict[str, Any], names: tuple[str, ...]) -> list[str]:
    """Redfish tells the serial number with the identity, IPMI in the inventory."""
    told = [(hardware.get("identity") or {}).get("serial")]
    told += [part.get(name) for part in hardware.get("inventory", ()) for name in names]
    return [str(one) for one in told if one]


def _claim(tx: Tx, server_id: str, guid: str | None, serials: Sequence[str | None]) -> None:
    """The machine is this server; two servers that are one machine would be installed at the same time."""
    owner = machines.claim_machine(tx, server_id, identities(guid, serials))
    if owner is not None:
        raise AnotherMachine(
            f"This machine is in the inventory already, as server {owner}: use that one, and take this one "
            f"out (`windlass server decommission {server_id}`)",
            server=owner,
        )
    servers.change_server(tx, server_id, {"identified_at": tx.now})


def _row(ctx: Context, server_id: str) -> dict[str, object]:
    row = ctx.db.read(lambda tx: servers.read_server(tx, server_id))
    if row is None:
        raise WrongState(f"Server {server_id} is gone", server=server_id)
    return row


def _now(ctx: Context) -> int:
    return ctx.db.read(lambda tx: tx.now)


def _note_power(ctx: Context, server_id: str, state: str) -> None:
    ctx.log("power confirmed", state=state)
    now = _now(ctx)
    ctx.db.write(lambda tx: servers.change_server(tx, server_id, {"power": state, "last_check_at": now}))

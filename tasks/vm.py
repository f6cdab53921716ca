"""Steps on virtual machines: each is a wish for a state, and its undo stands under it."""

from typing import Any

from app.domain import ownership
from app.domain.errors import KubeConflict, KubeRefused, VmStartFailed
from app.domain.policy import backoff
from app.domain.vms import SELF_STARTING
from app.providers.vms import MachineWish
from tasks.context import Context
from tasks.managed import PATIENT, POLLS, UNTIL_GONE, VM, WAITS, begin, reach, row_of, since_now, wait_on
from tasks.managed import mark_error as mark
from tasks.objects import check_free, found, gone, keep, own, present, remove
from tasks.step import Again, operation, step


@step(queue="kube", retry=PATIENT, timeout="60s", gives=("was", "instance"), effect=False)
def validate(ctx: Context, vm_id: str, action: str) -> dict[str, object]:
    """Check that the action is still allowed and show that it has begun; note which start of it runs."""
    row = begin(ctx, VM, vm_id, action)
    running = ctx.machines(row["management_id"]).instance(row["name"]) if action == "restart" else None
    return {"was": row["was"], "instance": running}


@validate.undo
def mark_error(ctx: Context, vm_id: str, was: str | None = None) -> None:
    """After a failure the machine says `error` and names the run; after a cancel it is what it was."""
    mark(ctx, VM, vm_id, was)


@step(effect=False)
def create_record(ctx: Context, vm_id: str) -> None:
    """Say what the machine is called; its row is there since the request was accepted."""
    row = row_of(ctx, VM, vm_id)
    ctx.log("a machine is to be made", name=row["name"], runStrategy=row["run_strategy"])


@step(queue="kube", retry=backoff("1s", cap="15s", limit=0, deadline="15m"), timeout="60s")
def create_vm(ctx: Context, vm_id: str) -> None:
    """Have the machine; a repeated step finds its own, and nobody else's is touched."""
    row = row_of(ctx, VM, vm_id)
    there = found(ctx, VM, row)
    check_free(VM, there, row)
    if there is None:
        wish = MachineWish(
            name=row["name"],
            content=row["content"] or {},
            run_strategy=row["run_strategy"],
            labels=ownership.labels(vm_id),
            annotations=ownership.annotations(ctx.run_id, ctx.step),
        )
        there = ctx.machines(row["management_id"]).apply(wish)
    keep(ctx, VM, vm_id, there)


@create_vm.undo(retry=UNTIL_GONE)
def remove_vm(ctx: Context, vm_id: str) -> None:
    """Nothing is left of the machine."""
    remove(ctx, VM, vm_id)


@step(queue="kube", retry=PATIENT, timeout="60s")
def start_vm(ctx: Context, vm_id: str) -> None:
    """Switch a new machine on; one whose run strategy starts it is on its way already."""
    row = row_of(ctx, VM, vm_id)
    present(ctx, VM, row)
    if row["run_strategy"] not in SELF_STARTING:
        ctx.machines(row["management_id"]).act(row["name"], "start")


@step(queue="kube", retry=PATIENT, timeout="60s")
def call_subresource(
    ctx: Context,
    vm_id: str,
    action: str,
    instance: str | None = None,
    gracePeriodSeconds: int | None = None,
    force: bool = False,
) -> None:
    """Order the action; being there already counts as done, and a restart that was lost is not repeated."""
    row = row_of(ctx, VM, vm_id)
    machines = ctx.machines(row["management_id"])
    present(ctx, VM, row)
    if action == "restart" and machines.instance(row["name"]) != instance:
        ctx.log("the machine was started anew already")
        return
    machines.act(row["name"], action, 0 if force else gracePeriodSeconds)


@operation(queue="kube", gives="reached", timeout="15m", usual="30s", every=POLLS, retry=WAITS)
def wait_state(ctx: Context, vm_id: str, state: str) -> dict[str, object]:
    """Wait until the machine is where it was sent."""
    return since_now(ctx)


@wait_state.poll
def is_there(
    ctx: Context,
    vm_id: str,
    ref: dict[str, object],
    state: str,
    instance: str | None = None,
    slow_after: str = "2m",
) -> Again | dict[str, object]:
    """There, on the way and why, slow, or beyond hope; after a restart another start of it must run."""
    row = row_of(ctx, VM, vm_id)
    there = present(ctx, VM, row)
    if there.hopeless:
        raise VmStartFailed(f"The machine cannot run: {there.told}")
    if there.state == state and _another(ctx, row, instance):
        return {"reached": state}
    return wait_on(ctx, VM, vm_id, ref, slow_after, there.told)


@operation(queue="kube", gives="reached", timeout="30m", usual="1m", every=POLLS, retry=WAITS)
def wait_running(ctx: Context, vm_id: str) -> dict[str, object]:
    """Wait until a new machine runs; its volumes may have to be filled first."""
    return since_now(ctx)


@wait_running.poll
def is_running(
    ctx: Context, vm_id: str, ref: dict[str, object], slow_after: str = "10m"
) -> Again | dict[str, object]:
    """Running, on the way and why, slow, or beyond hope."""
    there = present(ctx, VM, row_of(ctx, VM, vm_id))
    if there.hopeless:
        raise VmStartFailed(f"The machine cannot run: {there.told}")
    if there.state == "running":
        return {"reached": "running"}
    return wait_on(ctx, VM, vm_id, ref, slow_after, there.told)


@step
def settle(ctx: Context, vm_id: str, reached: str) -> None:
    """Show the state that the machine has reached."""
    reach(ctx, VM, vm_id, reached)


@step(queue="kube", retry=PATIENT, timeout="60s")
def stop(ctx: Context, vm_id: str, force: bool = False) -> None:
    """Ask the system to go; a machine that does not run, or is not there, needs no asking."""
    row = row_of(ctx, VM, vm_id)
    there = found(ctx, VM, row)
    if not own(there, row) or there.deleting:
        return
    try:
        ctx.machines(row["management_id"]).act(row["name"], "stop", 0 if force else None)
    except (KubeConflict, KubeRefused) as error:
        ctx.log("it cannot be stopped as it is", why=error.message)


@step(queue="kube", retry=PATIENT, timeout="60s")
def delete_vm(ctx: Context, vm_id: str) -> None:
    """Ask for the end of the machine; there may be none, or one that is not ours."""
    row = row_of(ctx, VM, vm_id)
    there = found(ctx, VM, row)
    if not own(there, row):
        ctx.log("there is no machine of ours", name=row["name"])
        return
    ctx.machines(row["management_id"]).delete(there.name, there.uid)
    keep(ctx, VM, vm_id, found(ctx, VM, row))


@operation(queue="kube", timeout="1h", usual="30s", every=POLLS, retry=WAITS)
def wait_deleted(ctx: Context, vm_id: str) -> dict[str, object]:
    """Wait until the machine is truly gone."""
    return since_now(ctx)


@wait_deleted.poll
def is_deleted(
    ctx: Context, vm_id: str, ref: dict[str, object], slow_after: str = "5m"
) -> Again | dict[str, object]:
    """Gone, or what holds it."""
    return gone(ctx, VM, vm_id, ref, slow_after)


@step
def forget(ctx: Context, vm_id: str) -> None:
    """The machine leaves the inventory; its name is free."""
    reach(ctx, VM, vm_id, "deleted")


def _another(ctx: Context, row: dict[str, Any], instance: str | None) -> bool:
    """Whether another start of the machine runs than the one that was to end; None: none was to."""
    return instance is None or ctx.machines(row["management_id"]).instance(row["name"]) not in (
        None,
        instance,
    )

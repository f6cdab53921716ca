"""`windlass batch`: operations over several providers, from one definition."""

from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from app.cli import batch_columns as columns
from app.cli import batch_files, batch_tree, exits, output
from app.cli.context import Caller, Noun, pass_caller
from app.cli.direct import world
from app.domain.batch import drawing
from app.services import batches
from windlass import Batch, BatchOperation, SubmittedBatch

F = TypeVar("F", bound=Callable[..., object])
FILE = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
BATCH = click.argument("batch_id", metavar="ID")
_OF_STATUS = {"Completed": exits.Exit.OK, "Cancelled": exits.Exit.RUN_CANCELLED}
_PARTS = (
    click.option(
        "--only", multiple=True, metavar="OPERATION", help="Run it and its hard dependencies; repeatable."
    ),
    click.option(
        "--except",
        "except_",
        multiple=True,
        metavar="OPERATION",
        help="Leave it out, with what depends on it; repeatable.",
    ),
)


def parts(command: F) -> F:
    """The options that choose a part of the graph."""
    return reduce(lambda made, option: option(made), reversed(_PARTS), command)


@click.group(cls=Noun)
def batch() -> None:
    """Submit, follow and roll back batches."""


@batch.command()
@FILE
@parts
@pass_caller
def plan(caller: Caller, file: Path, only: tuple[str, ...], except_: tuple[str, ...]) -> None:
    """Show what the batch of FILE would do, and start nothing."""
    definition, _ = batch_files.read(file)
    _show_plan(caller, caller.client.batches.plan(definition, only=only, except_=except_))


@batch.command()
@FILE
@parts
@click.option("--key", help="Idempotency key: a second submit with it answers the first batch.")
@click.option("--dry-run", is_flag=True, help="Show the plan and start nothing.")
@click.option("--wait", is_flag=True, help="Follow the batch to its end; the exit status is its result.")
@pass_caller
def submit(
    caller: Caller,
    file: Path,
    only: tuple[str, ...],
    except_: tuple[str, ...],
    key: str | None,
    dry_run: bool,
    wait: bool,
) -> None:
    """Start the batch of FILE, in Nickel or JSON."""
    definition, source = batch_files.read(file)
    if dry_run:
        _show_plan(caller, caller.client.batches.plan(definition, only=only, except_=except_))
        return
    begun = caller.client.batches.submit(
        definition, only=only, except_=except_, idempotency_key=key, source=source
    )
    if wait:
        _ended(caller, batch_tree.monitor(caller.client, str(begun.workflow_id)))
    caller.show(_with_levels(begun), columns.SUBMITTED)
    caller.hint(f"windlass batch monitor {begun.workflow_id}")


@batch.command()
@BATCH
@pass_caller
def monitor(caller: Caller, batch_id: str) -> None:
    """Follow a batch to its end; the exit status is its result. Ctrl-C leaves the batch alone."""
    caller.resource = f"batch {batch_id}"
    _ended(caller, batch_tree.monitor(caller.client, batch_id))


@batch.command("list")
@click.option("--status", help="Only batches with this status, for example Running.")
@click.option("--name", help="Only batches of this name.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Most rows.")
@click.option("--offset", type=click.IntRange(0), default=0, help="Rows to leave out.")
@pass_caller
def list_(caller: Caller, status: str | None, name: str | None, limit: int, offset: int) -> None:
    """List batches, the newest first."""
    found = caller.client.batches.list(status=status, name=name, limit=limit, offset=offset)
    caller.show([one.raw for one in found], columns.BATCHES)


@batch.command()
@BATCH
@pass_caller
def status(caller: Caller, batch_id: str) -> None:
    """Show a batch with its operations."""
    caller.resource = f"batch {batch_id}"
    _show(caller, caller.client.batches.get(batch_id))


@batch.command()
@BATCH
@click.option("--to", "checkpoint_id", metavar="CHECKPOINT", help="Undo only what completed after it.")
@click.option("--operation", "operations", multiple=True, help="Undo this operation; repeatable.")
@click.option("--force", is_flag=True, help="Although rollback is disabled, or others build on it.")
@click.option("--dry-run", is_flag=True, help="Show what would be undone.")
@click.option("--wait", is_flag=True, help="Follow the rollback to its end.")
@pass_caller
def rollback(caller: Caller, /, batch_id: str, wait: bool, dry_run: bool, **asked: Any) -> None:
    """Undo what a batch did, item by item, the newest first."""
    caller.resource = f"batch {batch_id}"
    if not dry_run:
        caller.confirm(f"Undo what batch {batch_id} did?")
    told = caller.client.batches.rollback(batch_id, dry_run=dry_run, **asked)
    if wait and told.rollback_id:
        _undone(caller, batch_tree.monitor(caller.client, batch_id))
    names = [one if isinstance(one, str) else one.get("id") for one in told.operations]
    caller.show({**told.raw, "told": names} if caller.form == "table" else told.raw, columns.ROLLBACK)
    if not told.operations:
        output.say("There is nothing to undo.")


@batch.command()
@BATCH
@click.option("--from", "from_", default="failed", show_default=True, help="failed, or a checkpoint.")
@click.option("--operation", "operations", multiple=True, help="Only this operation; repeatable.")
@click.option(
    "--all", "look_at_all", is_flag=True, help="Check completed items, too; make removed ones again."
)
@click.option("--wait", is_flag=True, help="Follow the new batch to its end.")
@pass_caller
def retry(
    caller: Caller, batch_id: str, from_: str, operations: tuple[str, ...], look_at_all: bool, wait: bool
) -> None:
    """Start a new batch that keeps completed items and makes the others again."""
    caller.resource = f"batch {batch_id}"
    new = caller.client.batches.retry(
        batch_id, from_=from_, operations=operations, only_failed=not look_at_all
    )
    if wait:
        _ended(caller, batch_tree.monitor(caller.client, new))
    output.say(f"Started: batch {new}")
    caller.hint(f"windlass batch monitor {new}")


@batch.command()
@BATCH
@click.option("--rollback", "undo", is_flag=True, help="Undo what it did as well.")
@pass_caller
def cancel(caller: Caller, batch_id: str, undo: bool) -> None:
    """Start nothing more of a batch; what runs ends."""
    caller.resource = f"batch {batch_id}"
    caller.confirm(f"Cancel batch {batch_id}?")
    _tell(caller, "Cancelling", batch_id, caller.client.batches.cancel(batch_id, rollback=undo))


@batch.command()
@BATCH
@pass_caller
def pause(caller: Caller, batch_id: str) -> None:
    """Start nothing until resume; what runs ends."""
    caller.resource = f"batch {batch_id}"
    _tell(caller, "Paused", batch_id, caller.client.batches.pause(batch_id))


@batch.command()
@BATCH
@pass_caller
def resume(caller: Caller, batch_id: str) -> None:
    """Go on with a paused batch."""
    caller.resource = f"batch {batch_id}"
    _tell(caller, "Goes on", batch_id, caller.client.batches.resume(batch_id))


@batch.command()
@BATCH
@click.argument("operation")
@pass_caller
def approve(caller: Caller, batch_id: str, operation: str) -> None:
    """Let an OPERATION start that waits for an approval."""
    caller.resource = f"batch {batch_id}"
    _tell(caller, f"Approved {operation} of", batch_id, caller.client.batches.approve(batch_id, operation))


@batch.command()
@BATCH
@click.option("--name", help="Name of the checkpoint.")
@pass_caller
def checkpoint(caller: Caller, batch_id: str, name: str | None) -> None:
    """Make a checkpoint of a batch now."""
    caller.resource = f"batch {batch_id}"
    _tell(caller, "Checkpoint of", batch_id, caller.client.batches.checkpoint(batch_id, name=name))


@batch.command()
@BATCH
@click.option(
    "--format",
    "form",
    type=click.Choice(("mermaid", "dot")),
    default="mermaid",
    show_default=True,
    help="Language of the picture; -o json gives data.",
)
@pass_caller
def graph(caller: Caller, batch_id: str, form: str) -> None:
    """Print the graph of a batch with the states of its operations."""
    caller.resource = f"batch {batch_id}"
    if caller.form in ("json", "yaml"):
        caller.show(caller.client.batches.graph(batch_id), ())
        return
    nodes = drawing.of_detail(caller.client.batches.get(batch_id, items=False).raw["operations"])
    click.echo((drawing.mermaid if form == "mermaid" else drawing.dot)(nodes), nl=False)


@batch.command()
@pass_caller
def stats(caller: Caller) -> None:
    """Show figures of all batches."""
    caller.show(caller.client.batches.stats().raw, columns.STATS)


@batch.command("restore-check")
@BATCH
@pass_caller
def restore_check(caller: Caller, batch_id: str) -> None:
    """Compare the copies of a batch's checkpoints with the database; exit with status 1 if one differs.

    It reads the database and the state folder of the service itself. No copy is ever read to decide anything.
    """
    found = batches.restore_check(world(), batch_id)
    caller.show(found, columns.COPIES)
    wrong = [one for one in found if one["copy"] != "same"]
    output.say(f"{len(found) - len(wrong)} of {len(found)} copies are what the database says.")
    raise click.exceptions.Exit(exits.Exit.ERROR if wrong else exits.Exit.OK)


def _ended(caller: Caller, found: Batch) -> NoReturn:
    """Show how a batch ended and leave with its exit status."""
    _show(caller, found)
    raise click.exceptions.Exit(_OF_STATUS.get(found.status, exits.Exit.RUN_FAILED))


def _undone(caller: Caller, found: Batch) -> NoReturn:
    """The same after a rollback, whose failure alone is one."""
    _show(caller, found)
    failed = found.status == "RollbackFailed"
    raise click.exceptions.Exit(exits.Exit.RUN_FAILED if failed else exits.Exit.OK)


def _show(caller: Caller, found: Batch) -> None:
    caller.show(found.raw, columns.BATCH)
    if caller.form == "table":
        click.echo()
        caller.show([_row(one) for one in found.operations], columns.OPERATIONS)


def _row(one: BatchOperation) -> dict[str, object]:
    return {**one.raw, "told": batch_tree.counted(one), "problem": batch_tree.problem(one.error)}


def _show_plan(caller: Caller, found: SubmittedBatch) -> None:
    caller.show(_with_levels(found), columns.SUBMITTED)
    if caller.form != "table":
        return
    rows = [
        {**item, "operation": one["id"]}
        for one in (found.plan or {}).get("operations", ())
        for item in one.get("items", ())
    ]
    if rows:
        click.echo()
        caller.show(rows, columns.PLANNED)
    output.say("A dry run: nothing was started.")


def _with_levels(found: SubmittedBatch) -> object:
    """For people: the levels as one line."""
    return {**found.raw, "told": " > ".join(", ".join(level) for level in found.levels)}


def _tell(caller: Caller, what: str, batch_id: str, state: str) -> None:
    output.say(f"{what} batch {batch_id}: {state}")
    caller.hint(f"windlass batch status {batch_id}")

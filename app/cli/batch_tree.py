"""A batch while it runs: a live tree on a terminal, a line for each change elsewhere."""

import sys
from collections.abc import Iterator, Mapping

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from app.cli.cells import duration, printable, utc_now
from app.cli.marks import look
from app.cli.output import say
from windlass import Batch, BatchOperation, BatchProgress, Client

FRAMES = 2  # Pictures a second.
MOST_BRANCHES = 40  # Operations that a picture shows: those that move or failed first.
QUIET = frozenset({"Pending", "Blocked", "Completed", "Skipped", "Cancelled", "RolledBack"})


def monitor(client: Client, batch_id: str) -> Batch:
    """The batch once it has ended; shown on stderr meanwhile. An API that is restarted is waited for."""
    if not sys.stderr.isatty():
        lines = Lines()
        for progress in client.batches.follow(batch_id):
            lines.saw(progress, client.batches.get(batch_id))
        return client.batches.get(batch_id)
    drawn = Drawn()
    with Live(console=Console(stderr=True), get_renderable=drawn, refresh_per_second=FRAMES) as live:
        for progress in client.batches.follow(batch_id):
            drawn.saw(progress, client.batches.get(batch_id))
        live.refresh()
    return client.batches.get(batch_id)


class Drawn:
    """The newest look at a batch as a picture of this moment."""

    def __init__(self) -> None:
        self._seen: tuple[BatchProgress, Batch] | None = None

    def saw(self, progress: BatchProgress, batch: Batch) -> None:
        """Keep the newest look."""
        self._seen = (progress, batch)

    def __call__(self) -> Tree:
        return Tree("") if self._seen is None else tree(*self._seen)


class Lines:
    """Prints what has changed since the last look."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def saw(self, progress: BatchProgress, batch: Batch) -> None:
        """A line for the batch, and one for each operation that moved."""
        for name, line in [
            ("", head(progress, estimates=False)),
            *((one.id, branch(one)) for one in batch.operations),
        ]:
            if self._told.get(name) != line:
                self._told[name] = line
                say(f"{utc_now():%H:%M:%S}  {line}")


def tree(progress: BatchProgress, batch: Batch) -> Tree:
    """The batch with its operations, and the items of those that move."""
    mark, style = look(progress.status)
    root = Tree(Text.assemble((f"{mark} ", style), (printable(batch.name), "bold"), f"  {head(progress)}"))
    shown = sorted(batch.operations, key=lambda one: one.status in QUIET)[:MOST_BRANCHES]
    for one in (each for each in batch.operations if each in shown):
        mark, style = look(one.status)
        twig = root.add(Text.assemble((f"{mark} ", style), branch(one)))
        if one.status not in QUIET:
            for line in items(one):
                twig.add(line)
    if left := len(batch.operations) - len(shown):
        root.add(f"… and {left} more operations")
    return root


def head(progress: BatchProgress, *, estimates: bool = True) -> str:
    """How far the batch is, on one line."""
    expected = progress.estimated_completion if estimates and not progress.ended else None
    left = (expected - utc_now()).total_seconds() if expected else 0
    parts = (
        progress.status,
        f"{progress.percent:g} %",
        f"{progress.completed_operations}/{progress.total_operations} operations",
        f"{progress.failed_operations} failed" if progress.failed_operations else "",
        f"about {duration(left * 1000)} left" if left > 1 else "",
        f"checkpoint {_id(progress.last_checkpoint)}" if progress.last_checkpoint else "",
    )
    return "  ".join(part for part in parts if part)


def branch(one: BatchOperation) -> str:
    """An operation on one line."""
    parts = (
        one.id,
        one.status,
        counted(one),
        f"attempt {one.attempts}" if one.attempts > 1 else "",
        problem(one.error),
        problem(one.waiting_on) if one.status not in QUIET else "",
    )
    return "  ".join(printable(part) for part in parts if part)


def counted(one: BatchOperation) -> str:
    """How many of its items are done."""
    done = sum(item.status == "Completed" for item in one.items)
    return f"{done}/{len(one.items)} items" if one.items else ""


def items(one: BatchOperation) -> Iterator[Text]:
    """The items that move or failed."""
    for item in one.items:
        if item.status not in QUIET:
            mark, style = look(item.status)
            said = f"{item.name}  {item.status}  {problem(item.error)}".rstrip()
            yield Text.assemble((f"{mark} ", style), printable(said))


def problem(value: object) -> str:
    """An error or a reason as a sentence: the service says it as a text or as an object."""
    if isinstance(value, Mapping):
        said = value.get("message") or value.get("text") or ""
        return f"{said} [{value['code']}]" if value.get("code") else str(said)
    return str(value or "")


def _id(checkpoint: object) -> str:
    return str(checkpoint.get("id", "")) if isinstance(checkpoint, Mapping) else str(checkpoint)

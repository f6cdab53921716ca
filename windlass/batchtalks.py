"""The calls of `client.batches` as talks (`windlass.exchange`), for both the sync and the async client."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from windlass.batchmodels import (
    Batch,
    BatchItem,
    BatchPage,
    BatchProgress,
    BatchRollback,
    BatchStats,
    SubmittedBatch,
)
from windlass.errors import Unavailable, WaitTimeout
from windlass.exchange import Answer, Exchange, Talk
from windlass.live import OUTAGE_S

BASE = "/v1/workflows/batch"
SOON_S, SELDOM_S = 0.2, 2.0  # The shortest and longest pause between two polls.


@dataclass(frozen=True, kw_only=True)
class BatchTalks:
    """The calls about batches."""

    exchange: Exchange
    clock: Callable[[], float] = time.monotonic

    def submit(
        self,
        definition: str | Mapping[str, object],
        *,
        only: Sequence[str] = (),
        except_: Sequence[str] = (),
        idempotency_key: str | None = None,
        source: str | None = None,
    ) -> Talk[SubmittedBatch]:
        """Start a batch: the text of a Nickel program, or the value of its ``batch_workflow``.

        ``only`` and ``except_`` name operations; the former bring what they depend on along. ``source`` is
        kept with the batch. With `idempotency_key` a second call answers the first batch. Raises
        `ValidationError`, whose ``code`` says what is wrong with the definition.
        """
        order = _order(definition, only, except_, source)
        answer = yield from self.exchange.post(f"{BASE}/submit", order, key=idempotency_key)
        return SubmittedBatch.of(answer.data)

    def plan(
        self,
        definition: str | Mapping[str, object],
        *,
        only: Sequence[str] = (),
        except_: Sequence[str] = (),
    ) -> Talk[SubmittedBatch]:
        """What `submit` would do; nothing is stored."""
        order = {**_order(definition, only, except_, None), "dry_run": True}
        return SubmittedBatch.of((yield from self.exchange.post(f"{BASE}/submit", order)).data)

    def list(
        self,
        *,
        status: str | None = None,
        name: str | None = None,
        limit: int | None = None,
        offset: int | None = None,
    ) -> Talk[BatchPage]:
        """A page of batches, the newest first."""
        query = {"status": status, "name": name, "limit": limit, "offset": offset}
        return _page(Batch, (yield from self.exchange.get(BASE, query)))

    def get(self, batch_id: str, *, items: bool = True) -> Talk[Batch]:
        """One batch with its operations."""
        query = None if items else {"items": False}
        return Batch.of((yield from self.exchange.get(_path(batch_id), query)).data)

    def items(
        self, batch_id: str, operation: str, *, limit: int | None = None, offset: int | None = None
    ) -> Talk[BatchPage]:
        """A page of the items of an operation."""
        path = f"{_path(batch_id)}/operations/{quote(operation, safe='')}"
        return _page(BatchItem, (yield from self.exchange.get(path, {"limit": limit, "offset": offset})))

    def progress(self, batch_id: str) -> Talk[BatchProgress]:
        """How far a batch is."""
        return BatchProgress.of((yield from self.exchange.get(f"{_path(batch_id)}/progress")).data)

    def stats(self) -> Talk[BatchStats]:
        """Figures of all batches."""
        return BatchStats.of((yield from self.exchange.get(f"{BASE}/stats")).data)

    def graph(self, batch_id: str) -> Talk[Mapping[str, Any]]:
        """Levels, nodes and edges of a batch."""
        found: Mapping[str, object] = (yield from self.exchange.get(f"{_path(batch_id)}/graph")).data
        return found

    def rollback(
        self,
        batch_id: str,
        *,
        checkpoint_id: str | None = None,
        operations: Sequence[str] = (),
        force: bool = False,
        dry_run: bool = False,
    ) -> Talk[BatchRollback]:
        """Undo what a batch did: all of it, what came after a checkpoint, or some operations.

        Raises `Conflict` while the batch runs, where rollback is disabled, or where others build on it,
        unless `force` is given.
        """
        asked = _given(checkpoint_id=checkpoint_id, operations=[*operations], force=force, dry_run=dry_run)
        return BatchRollback.of((yield from self.exchange.post(f"{_path(batch_id)}/rollback", asked)).data)

    def cancel(self, batch_id: str, *, rollback: bool = False) -> Talk[str]:
        """Start nothing more, and undo what was done if `rollback` says so; the status."""
        return (yield from self._change(batch_id, "cancel", _given(rollback=rollback)))

    def pause(self, batch_id: str) -> Talk[str]:
        """Start nothing until `resume`; the status."""
        return (yield from self._change(batch_id, "pause", {}))

    def resume(self, batch_id: str) -> Talk[str]:
        """Go on; the status."""
        return (yield from self._change(batch_id, "resume", {}))

    def checkpoint(self, batch_id: str, *, name: str | None = None) -> Talk[str]:
        """Make a checkpoint now; the status of the batch."""
        return (yield from self._change(batch_id, "checkpoints", _given(name=name)))

    def approve(self, batch_id: str, operation: str) -> Talk[str]:
        """Let an operation start that waits for an approval; the status of the batch."""
        return (yield from self._change(batch_id, f"operations/{quote(operation, safe='')}/approve", {}))

    def retry(
        self,
        batch_id: str,
        *,
        from_: str = "failed",
        operations: Sequence[str] = (),
        only_failed: bool = True,
    ) -> Talk[str]:
        """Start a new batch that keeps what stands and does the rest again; its id.

        With ``only_failed=False`` what stands is looked at again, and made again where it is gone.
        """
        asked = {"from": from_, "operations": [*operations], "only_failed": only_failed}
        answer = yield from self.exchange.post(f"{_path(batch_id)}/retry", asked)
        return str(answer.data["workflow_id"])

    def wait(self, batch_id: str, *, timeout_s: float | None = None) -> Talk[Batch]:
        """The batch once it has ended; a service that is away for a while is waited for.

        Raises `WaitTimeout` after `timeout_s` seconds.
        """
        give_up = None if timeout_s is None else self.clock() + timeout_s
        pause, seen = SOON_S, self.clock()
        while True:
            try:
                found = yield from self.progress(batch_id)
                seen = self.clock()
                if found.ended:
                    return (yield from self.get(batch_id))
            except Unavailable:
                if self.clock() - seen > OUTAGE_S:
                    raise
            if give_up is not None and self.clock() >= give_up:
                raise WaitTimeout(f"The batch {batch_id} has not ended.", (yield from self.get(batch_id)))
            yield pause
            pause = min(pause * 2, SELDOM_S)

    def _change(self, batch_id: str, verb: str, asked: Mapping[str, object]) -> Talk[str]:
        answer = yield from self.exchange.post(f"{_path(batch_id)}/{verb}", asked)
        return str((answer.data or {}).get("status") or "")


def _order(
    definition: str | Mapping[str, object],
    only: Sequence[str],
    except_: Sequence[str],
    source: str | None,
) -> dict[str, object]:
    named = "nickel" if isinstance(definition, str) else "batch_workflow"
    about = _given(source=source, only=[*only])
    return {named: definition, **about, **({"except": [*except_]} if except_ else {})}


def _given(**values: object) -> dict[str, object]:
    """The values that are set: neither None, nor false, nor empty."""
    return {name: value for name, value in values.items() if value}


def _page(model: Any, answer: Answer) -> BatchPage:
    items = tuple(model.of(one) for one in answer.data or ())
    return BatchPage(items=items, total=(answer.pagination or {}).get("total", len(items)))


def _path(batch_id: str) -> str:
    return f"{BASE}/{quote(batch_id, safe='')}"

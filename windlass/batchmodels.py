"""What the service says of batches, as frozen values. Times are aware."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from windlass.decode import Model, as_it_is

OPEN = frozenset({"Pending", "Running", "RollingBack"})


@dataclass(frozen=True, kw_only=True)
class BatchModel(Model):
    """A value whose members are spelled in snake_case."""

    wire = staticmethod(as_it_is)


@dataclass(frozen=True, kw_only=True)
class SubmittedBatch(BatchModel):
    """A batch that was accepted, or would be: then ``plan`` says what it would do, and there is no id."""

    workflow_id: str | None = None
    name: str = ""
    version: str = ""
    status: str = "Pending"
    total_operations: int = 0
    total_items: int = 0
    levels: tuple[Any, ...] = ()
    warnings: tuple[str, ...] = ()
    plan: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class BatchItem(BatchModel):
    """One server, or one taskserv on a server."""

    name: str = ""
    status: str = "Pending"
    resource_id: str | None = None
    error: Any = None


@dataclass(frozen=True, kw_only=True)
class BatchOperation(BatchModel):
    """An operation and how far it is."""

    id: str = ""
    type: str = ""
    provider: str = ""
    status: str = "Pending"
    dependencies: tuple[Any, ...] = ()
    attempts: int = 0
    started_at: datetime | None = None
    completed_at: datetime | None = None
    items: tuple[BatchItem, ...] = ()
    output: Any = None
    error: Any = None
    waiting_on: Any = None


@dataclass(frozen=True, kw_only=True)
class Batch(BatchModel):
    """A batch; in a list without its operations.

    ``status`` is one of Pending, Running, Completed, PartiallyCompleted, Failed, Cancelled, RollingBack,
    RolledBack, RollbackFailed.
    """

    workflow_id: str = ""
    name: str = ""
    version: str = ""
    status: str = "Pending"
    storage_backend: str | None = None
    parallel_limit: int | None = None
    rollback_enabled: bool = True
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    error: Any = None
    operations: tuple[BatchOperation, ...] = ()
    checkpoints: tuple[Any, ...] = ()
    rollback: Mapping[str, Any] | None = None
    retry_of: str | None = None
    rollback_of: str | None = None
    warnings: tuple[str, ...] = ()
    waiting_on: Any = None

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it by itself any more."""
        return self.status not in OPEN


@dataclass(frozen=True, kw_only=True)
class BatchProgress(BatchModel):
    """How far a batch is; of its lists the first hundred ids are told."""

    workflow_id: str = ""
    status: str = "Pending"
    total_operations: int = 0
    completed_operations: int = 0
    failed_operations: int = 0
    running_operations: tuple[str, ...] = ()
    pending_operations: tuple[str, ...] = ()
    percent: float = 0.0
    current_level: int | None = None
    estimated_completion: datetime | None = None
    last_checkpoint: Any = None

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to the batch by itself any more."""
        return self.status not in OPEN


@dataclass(frozen=True, kw_only=True)
class BatchRollback(BatchModel):
    """A rollback; without an id when there was nothing to undo, or nothing was to be done yet."""

    rollback_id: str | None = None
    workflow_id: str = ""
    status: str | None = None
    operations: tuple[Any, ...] = ()


@dataclass(frozen=True, kw_only=True)
class BatchStats(BatchModel):
    """Figures of all batches."""

    total: int = 0
    by_status: Mapping[str, int] | None = None
    by_provider: Mapping[str, int] | None = None
    by_operation_type: Mapping[str, int] | None = None
    success_rate: float | None = None
    avg_duration_seconds: float | None = None
    rollbacks: Mapping[str, int] | None = None
    active: int = 0
    queued: int = 0


@dataclass(frozen=True, kw_only=True)
class BatchPage:
    """A part of a list of batches or items, and how many there are in all."""

    items: tuple[Any, ...]
    total: int

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)

"""The types of rows say what the tables say: the same columns, of the same kinds."""

from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints, is_typeddict

import pytest
from sqlalchemy import JSON, BigInteger, Boolean, Column, Integer, Text

from app.domain.rows import batches, inventory, runs, service
from app.record import tables

# Columns that may be null for the database, and that every insert fills.
ALWAYS = {"created_at", "updated_at", "at", "run.input"}
KINDS = {Boolean: bool, Integer: int, BigInteger: int, Text: str}
TABLES = {
    runs.RunRow: tables.run,
    runs.StepRow: tables.step,
    runs.EventRow: tables.event,
    runs.TimerRow: tables.timer,
    runs.HookRow: tables.hook,
    runs.SignalRow: tables.signal,
    runs.LockRow: tables.lock,
    runs.LockWaiterRow: tables.lock_waiter,
    runs.DefinitionRow: tables.definition,
    runs.TypeStateRow: tables.type_state,
    inventory.ServerRow: tables.server,
    inventory.PoolRow: tables.pool,
    inventory.ManagementRow: tables.management,
    inventory.ClusterRow: tables.cluster,
    inventory.VmRow: tables.vm,
    inventory.AllocationRow: tables.allocation,
    inventory.SourceRow: tables.source,
    batches.BatchRow: tables.batch,
    batches.EdgeRow: tables.edge,
    batches.CheckpointRow: tables.checkpoint,
    batches.InstanceRow: tables.instance,
    batches.InstallationRow: tables.installation,
    batches.BatchTotalRow: tables.batch_total,
    inventory.AccountRow: tables.account,
    service.WebhookRow: tables.webhook,
    service.DeliveryRow: tables.delivery,
    service.AttemptRow: tables.delivery_attempt,
    service.ScheduleRow: tables.schedule,
    service.OccurrenceRow: tables.occurrence,
    service.ApiKeyRow: tables.api_key,
    service.SessionRow: tables.session,
    service.AuditRow: tables.audit,
    service.RequestRow: tables.api_request,
    service.BeatRow: tables.beat,
}


@pytest.mark.parametrize("row", TABLES, ids=lambda row: row.__name__)
def test_a_row_has_the_columns_of_its_table(row: type) -> None:
    assert list(get_type_hints(row)) == TABLES[row].columns.keys()


@pytest.mark.parametrize("row", TABLES, ids=lambda row: row.__name__)
def test_columns_are_of_the_kind_that_the_table_says(row: type) -> None:
    messages = get_type_hints(row)
    wrong = [column.name for column in TABLES[row].columns if not fits(messages[column.name], column)]
    assert not wrong


def test_every_type_of_row_is_compared() -> None:
    defined = {
        kind
        for module in (runs, inventory, service, batches)
        for kind in vars(module).values()
        if is_typeddict(kind) and kind is not runs.LockedRun
    }
    assert defined == set(TABLES)


def fits(hint: Any, column: Column[Any]) -> bool:
    """Whether a type is that of a column, and may be None where the column may be null."""
    parts = set(get_args(hint)) if get_origin(hint) in (Union, UnionType) else {hint}
    if isinstance(column.type, JSON):
        kind = not parts - {NoneType} <= {bool, int, str}
    else:
        kind = parts - {NoneType} == {KINDS[type(column.type)]}
    nullable = bool(column.nullable) and not ALWAYS & {column.name, str(column)}
    return kind and (NoneType in parts) == nullable

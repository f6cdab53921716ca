"""Virtual machines: the inventory that requests and steps read and change."""

from collections.abc import Mapping
from typing import Any

from app.record import managed
from app.record.managed import ManagedFilters
from app.record.paging import Page, Window
from app.record.session import Tx
from app.record.tables import vm

Row = dict[str, Any]


def insert_vm(tx: Tx, values: Mapping[str, Any]) -> None:
    """Store a new machine."""
    managed.insert_row(tx, vm, values)


def read_vm(tx: Tx, vm_id: str, *, lock: bool = False) -> Row | None:
    """A machine, locked until the transaction ends when asked for."""
    return managed.read_row(tx, vm, vm_id, lock=lock)


def change_vm(tx: Tx, vm_id: str, changes: Mapping[str, Any]) -> None:
    """Change a machine; its version grows."""
    managed.change_row(tx, vm, vm_id, changes)


def note_seen(tx: Tx, vm_id: str, *, uid: str, version: str, facts: Mapping[str, Any]) -> None:
    """Keep what was just seen of a machine."""
    managed.note_seen(tx, vm, vm_id, uid=uid, version=version, facts=facts)


def note_gone(tx: Tx, vm_id: str) -> None:
    """The machine's object is there no longer."""
    managed.note_gone(tx, vm, vm_id)


def vm_named(tx: Tx, management_id: str, name: str) -> str | None:
    """Which machine has this name in a management cluster?"""
    return managed.named(tx, vm, management_id, name)


def count_vms(tx: Tx, management_id: str | None = None) -> int:
    """How many machines are there?"""
    return managed.count(tx, vm, management_id)


def list_vms(tx: Tx, filters: ManagedFilters, window: Window) -> Page:
    """Which machines are there?"""
    return managed.list_rows(tx, vm, filters, window)

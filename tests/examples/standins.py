"""In-memory stand-ins for what the examples talk to: a database of collections, and services.

Every process has its own: the examples tell what they did by their results.
"""

from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]


class Collection:
    """Rows by id."""

    def __init__(self, rows: Mapping[str, Row]) -> None:
        self._rows = {key: {"id": key, **row} for key, row in rows.items()}

    def get_one(self, key: str) -> Row:
        """One row; KeyError when there is none."""
        return dict(self._rows[key])

    def get_list(self, **values: Any) -> list[Row]:
        """The rows that have all these values."""
        return [dict(row) for row in self._rows.values() if row.items() >= values.items()]

    def create(self, key: str, row: Row) -> Row:
        """Add a row; again with the same key, it is the same row."""
        return dict(self._rows.setdefault(key, {"id": key, **row}))

    def update(self, key: str, values: Row) -> Row:
        """Change a row, or add it."""
        self._rows.setdefault(key, {"id": key}).update(values)
        return dict(self._rows[key])


class Client:
    """A database with some rows in it."""

    def __init__(self) -> None:
        users = {"user-123": {"name": "Ada", "email": "ada@example.org"}}
        items = {f"item-{n}": {"batchId": "batch-1", "status": "pending", "size": n} for n in range(1, 5)}
        orders = {
            "order-1": {"email": "ada@example.org", "total": 30, "items": ["rope", "pulley"]},
            "order-2": {"email": "ada@example.org", "total": 9000, "items": ["anvil"]},
        }
        self._collections = {
            "_users": Collection(users),
            "batch_items": Collection(items),
            "orders": Collection(orders),
        }

    def collection(self, name: str) -> Collection:
        """A collection; one that is not there yet is empty."""
        return self._collections.setdefault(name, Collection({}))


client = Client()


def send_mail(to: str, text: str) -> Row:
    """Post a mail."""
    return {"to": to, "text": text}

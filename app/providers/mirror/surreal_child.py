"""One call of SurrealDB's client: an order as JSON on stdin, the answer as JSON on stdout.

python -I surreal_child.py URL

This file imports nothing of Windlass: it runs isolated, also with another interpreter.
"""

import json
import sys
from collections.abc import Mapping

from surrealdb import RecordID, Surreal

TABLE = "checkpoint"


def main() -> None:
    """Carry out the order: write documents by their names, read those of these names."""
    order = json.load(sys.stdin)
    found = {}
    with Surreal(sys.argv[1]) as database:
        database.use("windlass", "batch")
        for name, document in order.get("write", {}).items():
            given = {"id": _record(order, name), "content": {"document": document}}
            database.query("UPSERT $id CONTENT $content", given)
        for name in order.get("read", ()):
            document = _document(database.select(_record(order, name)))
            if document is not None:
                found[name] = document
    json.dump(found, sys.stdout)


def _record(order: Mapping[str, object], name: str) -> RecordID:
    return RecordID(TABLE, f"{order['batch']}/{name}")


def _document(found: object) -> object:
    """The document of a record; a select gives a list in one release and the record itself in another."""
    record = found[0] if isinstance(found, list) and found else found
    return record["document"] if isinstance(record, dict) else None


if __name__ == "__main__":
    main()

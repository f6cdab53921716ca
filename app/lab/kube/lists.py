"""Lists, a page at a time."""

import base64
import json
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from app.lab.kube.errors import bad_request, expired
from app.lab.kube.kinds import Kind
from app.lab.kube.selectors import Selector
from app.lab.kube.store import Record, Store

_SNAPSHOTS = 200  # Lists that can be continued; the oldest expire.


@dataclass(frozen=True, kw_only=True)
class Page:
    """One answer to a list."""

    records: list[Record]
    version: int
    token: str = ""  # Continues the list.
    remaining: int | None = None


class Lists:
    """Consistent lists: all pages show the state at the version of the first one."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._snapshots: OrderedDict[str, tuple[int, list[Record]]] = OrderedDict()

    def page(self, kind: Kind, namespace: str | None, chosen: Selector, limit: int, token: str) -> Page:
        """The first page or, with a token, the next one; raises `Refused` (400, 410)."""
        snapshot, start = _read_token(token) if token else ("", 0)
        if snapshot and snapshot not in self._snapshots:
            raise expired("The provided continue parameter is too old to display a consistent list result.")
        if snapshot:
            version, records = self._snapshots[snapshot]
        else:
            version = self._store.version
            records = [one for one in self._store.records(kind, namespace) if chosen.takes(one)]
        rest = len(records) - start - limit
        if limit <= 0 or rest <= 0:
            return Page(records=records[start:], version=version)
        if not snapshot:
            snapshot = secrets.token_hex(8)
            self._snapshots[snapshot] = (version, records)
            if len(self._snapshots) > _SNAPSHOTS:
                self._snapshots.popitem(last=False)
        following = _token(snapshot, start + limit)
        remaining = None if chosen else rest
        return Page(
            records=records[start : start + limit], version=version, token=following, remaining=remaining
        )

    def forget(self) -> None:
        """No list can be continued any more."""
        self._snapshots.clear()


def _token(snapshot: str, start: int) -> str:
    return base64.urlsafe_b64encode(json.dumps([snapshot, start]).encode()).decode()


def _read_token(token: str) -> tuple[str, int]:
    try:
        snapshot, start = json.loads(base64.urlsafe_b64decode(token))
        return str(snapshot), int(start)
    except ValueError as error:
        raise bad_request("continue key is not valid") from error

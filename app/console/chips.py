"""The filters of the list of runs: from the query of the page to the query of the API and to chips; pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from werkzeug.datastructures import MultiDict

from app.domain.clock import rfc3339

DAY_MS = 86_400_000
PERIODS = {
    "1h": ("last hour", DAY_MS // 24),
    "24h": ("last 24 h", DAY_MS),
    "7d": ("last 7 days", 7 * DAY_MS),
    "30d": ("last 30 days", 30 * DAY_MS),
}
# Parameters of the page, and their names in the API.
NAMES = {
    "kind": "resourceType",
    "resource": "resourceId",
    "by": "triggeredBy",
    "tag": "tag",
    "retryOf": "retryOf",
    "parent": "parentRunId",
    "waiting": "waiting",
    "needs": "needsOperator",
    "q": "q",
    "error": "errorCode",
    "acknowledged": "acknowledged",
}
SEVERAL = ("status", "detail", "type")  # Several values, and with a minus those that are left out.
STATUSES = ("pending", "running", "completed", "failed", "cancelled")
DETAILS = (
    "lock_waiting",
    "waiting",
    "failed_held",
    "blocked",
    "compensating",
    "compensation_failed",
    "paused",
)
KINDS = ("server", "cluster", "vm", "management")


@dataclass(frozen=True, kw_only=True)
class Chip:
    """A filter: its values to choose from, or a text."""

    name: str
    title: str
    values: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    choices: tuple[tuple[str, str], ...] = ()  # Value and words; empty is a text field.


def question(args: MultiDict[str, str], now: int) -> dict[str, object]:
    """The query of the API."""
    asked: dict[str, object] = {
        api: args[name].strip() for name, api in NAMES.items() if args.get(name, "").strip()
    }
    for name in (*SEVERAL, *(f"-{one}" for one in SEVERAL)):
        if args.getlist(name):
            asked[name] = args.getlist(name)
    if args.get("since") in PERIODS:
        minute = 60_000  # Rounded, so that a page that is reloaded makes the same query.
        asked["since"] = rfc3339((now - PERIODS[args["since"]][1]) // minute * minute)
    return asked


def chips(args: MultiDict[str, str], types: Sequence[str]) -> list[Chip]:
    """The filters as chips of the page."""
    return [
        _several(args, "status", "Status", STATUSES),
        _several(args, "detail", "Detail", DETAILS),
        _several(args, "type", "Type", types),
        _text(args, "since", "Started", tuple((name, words) for name, (words, _) in PERIODS.items())),
        _text(args, "kind", "Resource kind", tuple((word, word) for word in KINDS)),
        _text(args, "resource", "Resource"),
        _text(args, "by", "By"),
        _text(args, "tag", "Tag"),
        _text(args, "error", "Error code"),
    ]


def _several(args: MultiDict[str, str], name: str, title: str, words: Sequence[str]) -> Chip:
    return Chip(
        name=name,
        title=title,
        values=tuple(args.getlist(name)),
        excluded=tuple(args.getlist(f"-{name}")),
        choices=tuple((word, word.replace("_", " ")) for word in words),
    )


def _text(
    args: MultiDict[str, str], name: str, title: str, choices: tuple[tuple[str, str], ...] = ()
) -> Chip:
    value = args.get(name, "")
    return Chip(name=name, title=title, values=(value,) if value else (), choices=choices)

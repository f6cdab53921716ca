"""The filters of the list of runs: what the address says, as a question to the API and as chips; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.domain.clock import rfc3339

DAY_MS = 86_400_000
PERIODS = {
    "1h": ("last hour", DAY_MS // 24),
    "24h": ("last 24 h", DAY_MS),
    "7d": ("last 7 days", 7 * DAY_MS),
    "30d": ("last 30 days", 30 * DAY_MS),
}
# What the address may say, and what the API calls it.
NAMES = {
    "status": "status",
    "detail": "detail",
    "type": "type",
    "kind": "resourceType",
    "resource": "resourceId",
    "by": "triggeredBy",
    "tag": "tag",
    "retryOf": "retryOf",
    "parent": "parentRunId",
    "waiting": "waiting",
    "needs": "needsOperator",
}
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
    value: str
    choices: tuple[tuple[str, str], ...] = ()  # Value and words; empty is a text field.


def question(args: Mapping[str, str], now: int) -> dict[str, Any]:
    """What the API is asked."""
    asked: dict[str, Any] = {
        api: args[name].strip() for name, api in NAMES.items() if args.get(name, "").strip()
    }
    if args.get("since") in PERIODS:
        minute = 60_000  # Rounded, so that a page that is read again asks the same.
        asked["since"] = rfc3339((now - PERIODS[args["since"]][1]) // minute * minute)
    return asked


def chips(args: Mapping[str, str], types: Sequence[str]) -> list[Chip]:
    """The filters as the page shows them."""
    return [
        _choice(args, "status", "Status", [(word, word) for word in STATUSES]),
        _choice(args, "detail", "Detail", [(word, word.replace("_", " ")) for word in DETAILS]),
        _choice(args, "type", "Type", [(name, name) for name in types]),
        _choice(args, "since", "Started", [(name, words) for name, (words, _) in PERIODS.items()]),
        _choice(args, "kind", "Resource kind", [(word, word) for word in KINDS]),
        _text(args, "resource", "Resource"),
        _text(args, "by", "By"),
        _text(args, "tag", "Tag"),
    ]


def _choice(args: Mapping[str, str], name: str, title: str, choices: Sequence[tuple[str, str]]) -> Chip:
    return Chip(name=name, title=title, value=args.get(name, ""), choices=tuple(choices))


def _text(args: Mapping[str, str], name: str, title: str) -> Chip:
    return Chip(name=name, title=title, value=args.get(name, ""))

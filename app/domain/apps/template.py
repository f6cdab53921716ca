"""The template of a workflow: the steps of its newest completed run, those that overlapped as groups."""

from collections.abc import Iterable, Mapping
from typing import Any


def template(steps: Iterable[Mapping[str, Any]]) -> list[dict[str, object]]:
    """``stepName``, ``order`` and, for steps that ran beside others, ``parallelGroup``.

    The steps are ordered by ``created_at``. A step that starts before the latest end so far belongs to the
    group of the step before it.
    """
    made: list[dict[str, object]] = []
    order = group = 0
    end: int | None = None
    for step in steps:
        start = step["started_at"] or step["created_at"]
        over = step["completed_at"] or step["started_at"] or step["created_at"]
        beside = end is not None and start < end
        if made and not beside:
            order, group = order + 1, group + 1
        entry: dict[str, object] = {"stepName": step["name"], "order": order}
        if beside:
            made[-1]["parallelGroup"] = entry["parallelGroup"] = group
        made.append(entry)
        end = over if end is None else max(end, over)
    return made

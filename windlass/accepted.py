"""The answer 202: the resource in its transitional state, and the run that works on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from windlass.decode import Model
from windlass.session import Answer

M = TypeVar("M", bound=Model)


@dataclass(frozen=True, kw_only=True)
class Accepted(Generic[M]):
    """A resource and the run that changes it."""

    resource: M
    run_id: str
    estimated_ms: int | None = None
    raw: Mapping[str, Any]


def accepted(model: type[M], answer: Answer) -> Accepted[M]:
    """Read it from an envelope."""
    return Accepted(
        resource=model.of(answer.data or {}),
        run_id=str(answer.meta.get("workflowId") or ""),
        estimated_ms=answer.meta.get("estimatedDuration"),
        raw=answer.data or {},
    )

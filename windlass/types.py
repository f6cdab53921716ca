"""`client.types`: the catalogue of what can be started."""

from dataclasses import dataclass
from urllib.parse import quote

from windlass.decode import body
from windlass.models import WorkflowType
from windlass.session import Session

PATH = "/v1/workflows/types"


@dataclass(frozen=True, kw_only=True)
class Types:
    """Everything about workflow types."""

    session: Session

    def list(self) -> tuple[WorkflowType, ...]:
        """The whole catalogue."""
        return tuple(WorkflowType.of(each) for each in self.session.get(PATH).data)

    def get(self, name: str) -> WorkflowType:
        """One type, with the schema of its input and its steps."""
        return WorkflowType.of(self.session.get(_path(name)).data)

    def pause(self, name: str, *, reason: str) -> WorkflowType:
        """Let no run of this type be started; those that run go on."""
        return self._act(name, "pause", reason)

    def resume(self, name: str, *, reason: str | None = None) -> WorkflowType:
        """Let runs of this type be started again."""
        return self._act(name, "resume", reason)

    def _act(self, name: str, action: str, reason: str | None) -> WorkflowType:
        answer = self.session.post(f"{_path(name)}/actions", body(action=action, reason=reason))
        return WorkflowType.of(answer.data)


def _path(name: str) -> str:
    return f"{PATH}/{quote(name, safe='')}"

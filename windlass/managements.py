"""`client.managements`: the Kubernetes clusters that make other clusters and run virtual machines."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote

from windlass.decode import body
from windlass.models import Management
from windlass.pages import Page, one, read_every, read_page
from windlass.session import Session

PATH = "/v1/management-clusters"


@dataclass(frozen=True, kw_only=True)
class Managements:
    """Everything about management clusters."""

    session: Session

    def list(self, *, limit: int | None = None, cursor: str | None = None) -> Page[Management]:
        """One page."""
        return read_page(self.session, PATH, Management, {"limit": limit, "cursor": cursor})

    def each(self) -> Iterator[Management]:
        """All management clusters."""
        return read_every(self.session, PATH, Management, {"limit": 100})

    def get(self, management_id: str) -> Management:
        """One management cluster; its kubeconfig is never shown."""
        return one(Management, self.session.get(_path(management_id)))

    def add(self, /, name: str, kubeconfig: str, **values: object) -> Management:
        """Know one more; `kubeconfig` is the file's text, of which the current context is taken.

        Values: ``description``, ``cluster_namespace``, ``machine_namespace``.
        """
        return one(Management, self.session.post(PATH, body(name=name, kubeconfig=kubeconfig, **values)))

    def update(
        self, /, management_id: str, *, if_match: str | None = None, force: bool = False, **changes: object
    ) -> Management:
        """Change ``name``, ``description``, ``cluster_namespace`` or ``machine_namespace``.

        The namespace of clusters or machines changes by `force` alone; they count as deleted then.
        """
        path = _path(management_id) + _forced(force)
        return one(Management, self.session.patch(path, body(**changes), if_match))

    def set_kubeconfig(self, management_id: str, kubeconfig: str, *, force: bool = False) -> None:
        """Replace how to get in; `force` also when it does not lead to the clusters and machines there."""
        path = f"{_path(management_id)}/kubeconfig{_forced(force)}"
        self.session.put(path, {"kubeconfig": kubeconfig})

    def forget(self, management_id: str) -> None:
        """Forget one; raises `Conflict` while it has clusters or machines."""
        self.session.delete(_path(management_id))


def _forced(force: bool) -> str:
    return "?force=true" if force else ""


def _path(management_id: str) -> str:
    return f"{PATH}/{quote(management_id, safe='')}"

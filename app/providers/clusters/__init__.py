"""The clusters capability: Kubernetes clusters that a management cluster makes from templates.

Drivers: k0rdent (`k0rdent`), and a complete twin in memory (`memory`). One behaviour suite runs on both
(tests/integration/clusters). Every failure is a Kubernetes error of `app.domain.errors`.
"""

from typing import Protocol

from app.providers.clusters.values import Condition, Deployment, Template, Wish

__all__ = ["Clusters", "Condition", "Deployment", "Template", "Wish"]


class Clusters(Protocol):
    """The clusters of one management cluster; every call is one short conversation.

    Words are wishes for a state: applying the same wish twice changes nothing the second time.
    """

    def template(self, name: str) -> Template | None:
        """What clusters can be made of; None when there is no such template."""

    def credential_ready(self, name: str) -> bool | None:
        """Whether a credential can be used; None when there is none of this name."""

    def find(self, name: str) -> Deployment | None:
        """A deployment as it is now."""

    def apply(self, wish: Wish) -> Deployment:
        """Make a deployment; with a ``uid`` change that very one, whoever changed it meanwhile.

        `KubeConflict` when the deployment is another one, or one to be made is in other hands.
        """

    def delete(self, name: str, uid: str | None = None) -> bool:
        """Ask for its end, of that very one when its uid is given; False when there is none."""

    def access(self, name: str) -> dict[str, str] | None:
        """Where the cluster's kubeconfig lies, ``{namespace, secret, key}``; None while there is none."""

"""Complete clusters in memory: the words and refusals of the real ones, faults, and a ledger of orders.

site = Site(templates={"aws-standalone-cp-1": Template(...)}, credentials={"aws": True})
clusters = site.clusters()
clusters.apply(Wish(name="prod", ...))
clusters.find("prod").ready        # After `site.delay` looks.
site.ledger                        # ["create prod"]
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from uuid import uuid4

from app.domain.errors import KubeConflict, KubeRefused, KubeUnreachable
from app.domain.ownership import RESOURCE
from app.providers.clusters.values import CHECKS, FAILED, Condition, Deployment, Template, Wish

Fault = Literal[
    "dead",  # No answer to anything.
    "drop",  # The answer to an order is lost; the order is carried out.
    "never",  # Nothing ever becomes ready.
    "fails",  # The credential turns out to be useless.
    "dry",  # Every deployment is turned into a dry run.
    "stuck",  # A finalizer never goes.
]
FINALIZER = "k0rdent.mirantis.com/cluster-deployment"


@dataclass
class Site:
    """One management cluster: what it offers, what is wrong with it, and every change, oldest first."""

    templates: dict[str, Template] = field(default_factory=dict)
    credentials: dict[str, bool] = field(default_factory=dict)
    upgrades: dict[str, tuple[str, ...]] = field(default_factory=dict)  # By the template they start from.
    delay: int = 1  # How often somebody looks before something is ready, or gone.
    faults: set[Fault] = field(default_factory=set)
    ledger: list[str] = field(default_factory=list)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    version: int = 0
    looks: dict[str, int] = field(default_factory=dict)  # Since the last change of each deployment.

    def clusters(self) -> "MemoryClusters":
        """A driver for this site."""
        return MemoryClusters(self)


class MemoryClusters:
    """See `app.providers.clusters.Clusters`; time passes when somebody looks."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def template(self, name: str) -> Template | None:
        self._answer()
        return self.site.templates.get(name)

    def credential_ready(self, name: str) -> bool | None:
        self._answer()
        return self.site.credentials.get(name)

    def find(self, name: str) -> Deployment | None:
        self._answer()
        self._pass_time(name)
        return self.site.deployments.get(name)

    def apply(self, wish: Wish) -> Deployment:
        self._answer()
        before = self.site.deployments.get(wish.name)
        if wish.uid is not None and (before is None or before.uid != wish.uid):
            raise KubeConflict(f"apply {wish.name}: it is not {wish.uid}", status=409)
        dry = wish.dry_run or not wish.config or "dry" in self.site.faults
        wanted: dict[str, object] = {
            "template": wish.template,
            "credential": wish.credential,
            "config": dict(wish.config),
            "dry_run": dry,
            "owner": wish.labels.get(RESOURCE),
        }
        if before is None:
            after = self._made(wish.name, wanted)
        elif any(getattr(before, name) != value for name, value in wanted.items()):
            after = self._changed(before, wanted)
        else:
            after = before
        self._lost()
        return after

    def delete(self, name: str, uid: str | None = None) -> bool:
        self._answer()
        there = self.site.deployments.get(name)
        if there is None:
            return False
        if uid not in (None, there.uid):
            raise KubeConflict(f"delete {name}: it is not {uid}", status=409)
        if not there.deleting:
            self.site.ledger.append(f"delete {name}")
            waits = Condition(type="Ready", status="False", reason="WaitingForClusterDeletion")
            self._keep(replace(there, deleting=True, finalizers=(FINALIZER,), conditions=(waits,)))
        self._lost()
        return True

    def access(self, name: str) -> dict[str, str] | None:
        self._answer()
        there = self.site.deployments.get(name)
        if there is None or not there.ready:
            return None
        return {"namespace": "memory", "secret": f"{name}-kubeconfig", "key": "value"}

    def _made(self, name: str, wanted: Mapping[str, Any]) -> Deployment:
        if "/" in name:
            raise KubeRefused(f"apply {name}: not a name", status=422)
        self.site.ledger.append(f"create {name}")
        fresh = Deployment(
            name=name,
            uid=str(uuid4()),
            resource_version="",
            generation=1,
            observed_generation=0,
            **wanted,
        )
        return self._keep(fresh)

    def _changed(self, before: Deployment, wanted: Mapping[str, Any]) -> Deployment:
        if wanted["template"] not in (before.template, *before.available_upgrades):
            raise KubeRefused(f"apply {before.name}: cluster upgrade is forbidden", status=403)
        self.site.ledger.append(f"change {before.name}")
        return self._keep(replace(before, generation=before.generation + 1, **wanted))

    def _keep(self, there: Deployment) -> Deployment:
        self.site.version += 1
        self.site.looks[there.name] = 0
        kept = replace(there, resource_version=str(self.site.version))
        self.site.deployments[there.name] = kept
        return kept

    def _pass_time(self, name: str) -> None:
        there = self.site.deployments.get(name)
        if there is None:
            return
        self.site.looks[name] += 1
        if self.site.looks[name] <= self.site.delay:
            return
        if there.deleting:
            if "stuck" not in self.site.faults:
                del self.site.deployments[name]
                self.site.ledger.append(f"gone {name}")
        elif there.observed_generation != there.generation or not there.ready:
            self.site.deployments[name] = self._reconciled(there)

    def _reconciled(self, there: Deployment) -> Deployment:
        template = self.site.templates.get(there.template)
        conditions = [_told(name, "True", "Succeeded", there) for name in CHECKS]
        if "fails" in self.site.faults:
            conditions[1] = _told("CredentialReady", "False", FAILED, there)
        built = not there.dry_run and not self.site.faults & {"never", "fails"}
        conditions.append(
            _told("Ready", "True" if built else "False", "Succeeded" if built else "Progressing", there)
        )
        return replace(
            there,
            observed_generation=there.generation,
            conditions=tuple(conditions),
            available_upgrades=self.site.upgrades.get(there.template, ()),
            kubernetes_version=template.kubernetes_version if template and built else None,
        )

    def _answer(self) -> None:
        if "dead" in self.site.faults:
            raise KubeUnreachable("the management cluster does not answer", nothing_happened=True)

    def _lost(self) -> None:
        if "drop" in self.site.faults:
            raise KubeUnreachable("the answer was lost")


def _told(name: str, status: str, reason: str, there: Deployment) -> Condition:
    return Condition(type=name, status=status, reason=reason, generation=there.generation)

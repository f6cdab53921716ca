"""`client.clusters`: Kubernetes clusters, and the runs that make, scale, upgrade and delete them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from windlass.accepted import Accepted, accepted
from windlass.decode import body
from windlass.models import Cluster, Plan
from windlass.pages import Page, one, read_every, read_page
from windlass.session import Session

PATH = "/v1/clusters"


@dataclass(frozen=True, kw_only=True)
class Clusters:
    """Everything about clusters; what is observed of them is as old as ``observed_age_ms`` says."""

    session: Session

    def list(
        self,
        /,
        *,
        limit: int | None = None,
        cursor: str | None = None,
        page: int | None = None,
        **filters: object,
    ) -> Page[Cluster]:
        """One page; filters: ``state``, ``management_id``, ``template``, ``name``, ``tag``, ``q``."""
        asked = {**body(**filters), "limit": limit, "cursor": cursor, "page": page}
        return read_page(self.session, PATH, Cluster, asked)

    def each(self, /, **filters: object) -> Iterator[Cluster]:
        """All clusters, with the filters of `list`."""
        return read_every(self.session, PATH, Cluster, {**body(**filters), "limit": 100})

    def get(self, cluster_id: str) -> Cluster:
        """One cluster, with what its state permits now."""
        return one(Cluster, self.session.get(_path(cluster_id)))

    def create(
        self, /, *, template: str, credential: str, config: Mapping[str, object], **values: object
    ) -> Accepted[Cluster]:
        """Make a cluster; raises `Conflict` when its name is taken.

        Values: ``name``, ``management_id``, ``display_name``, ``description``, ``tags``, ``dry_run``,
        ``cleanup_on_deletion``, and ``node_pools`` [{poolId, count, image, address, user}] for templates
        whose workers are servers.
        """
        order = body(template=template, credential=credential, config=config, **values)
        return accepted(Cluster, self.session.post(PATH, order))

    def plan_create(
        self, /, *, template: str, credential: str, config: Mapping[str, object], **values: object
    ) -> Plan:
        """What `create` would do; nothing is stored."""
        order = body(template=template, credential=credential, config=config, **values)
        return Plan.of(self.session.post(PATH, order, {"dryRun": True}).data)

    def scale(
        self,
        /,
        cluster_id: str,
        *,
        workers: int | None = None,
        control_planes: int | None = None,
        **options: object,
    ) -> Accepted[Cluster]:
        """Change how many nodes it has; raises `InvalidState` when its template does not let it."""
        return self._act(cluster_id, "scale", workers=workers, control_planes=control_planes, **options)

    def upgrade(
        self,
        /,
        cluster_id: str,
        *,
        template: str | None = None,
        kubernetes_version: str | None = None,
        **options: object,
    ) -> Accepted[Cluster]:
        """Upgrade it to one of its ``available_upgrades``, or to the one that gives this Kubernetes."""
        wanted = {"template": template, "kubernetes_version": kubernetes_version}
        return self._act(cluster_id, "upgrade", **wanted, **options)

    def plan(self, /, cluster_id: str, action: str, **values: object) -> Plan:
        """What `scale` or `upgrade` would do; nothing is stored."""
        order = body(**values)
        return Plan.of(self.session.post(f"{_path(cluster_id)}/{action}", order, {"dryRun": True}).data)

    def delete(
        self, cluster_id: str, *, cleanup_on_deletion: bool | None = None, on_conflict: str | None = None
    ) -> Accepted[Cluster]:
        """Delete it; its servers are given back once it is gone."""
        query = {"cleanupOnDeletion": cleanup_on_deletion, "onConflict": on_conflict}
        return accepted(Cluster, self.session.delete(_path(cluster_id), query))

    def plan_delete(self, cluster_id: str) -> Plan:
        """What `delete` would do; nothing is changed."""
        return Plan.of(self.session.delete(_path(cluster_id), {"dryRun": True}).data)

    def _act(self, cluster_id: str, action: str, **values: object) -> Accepted[Cluster]:
        query = {"onConflict": values.pop("on_conflict", None)}
        return accepted(Cluster, self.session.post(f"{_path(cluster_id)}/{action}", body(**values), query))


def _path(cluster_id: str) -> str:
    return f"{PATH}/{quote(cluster_id, safe='')}"

"""What the webhooks of k0rdent make of a write, and what they and those of KubeVirt refuse."""

from app.lab.kube import kubevirt_rules
from app.lab.kube.clusters import Clusters
from app.lab.kube.errors import Refused, denied
from app.lab.kube.kinds import Kind
from app.lab.kube.store import Object
from app.lab.kube.writes import Write

_CLUSTERS = "validation.clusterdeployment.k0rdent.mirantis.com"


class Webhooks:
    """The webhooks of one management cluster."""

    def __init__(self, clusters: Clusters) -> None:
        self._clusters = clusters

    def __call__(self, kind: Kind, before: Object | None, after: Object, write: Write) -> None:
        if write.subresource or after["metadata"].get("deletionTimestamp"):
            return
        if kind.plural == "clusterdeployments":
            self._judge_cluster(before, after, write)
        elif kind.plural == "virtualmachines":
            kubevirt_rules.judge(after)

    def _judge_cluster(self, before: Object | None, after: Object, write: Write) -> None:
        spec = after["spec"]
        namespace, name, template = (
            after["metadata"].get("namespace", ""),
            after["metadata"]["name"],
            spec["template"],
        )
        found = self._clusters.find(self._clusters.kind("clustertemplates"), (namespace, template))
        if found is None:
            raise _invalid(f'clustertemplates.k0rdent.mirantis.com "{template}" not found')
        status = found.get("status", {})
        if not status.get("valid"):
            why = status.get("validationError", "")
            raise _invalid(f"the ClusterTemplate {namespace}/{template} is invalid with the error: {why}")
        if spec.get("config") is None and "config" in status:
            # Without values of its own a deployment gets those of the template and is only validated.
            spec |= {"config": status["config"], "dryRun": True}
        old = before["spec"]["template"] if before else template
        if (
            before
            and old != template
            and template not in before.get("status", {}).get("availableUpgrades", ())
        ):
            write.warnings.append(
                f"Cluster can't be upgraded from {old} to {template}. This upgrade sequence is not allowed"
            )
            raise denied(_CLUSTERS, "cluster upgrade is forbidden")
        credential = spec.get("credential", "")
        holder = self._clusters.find(self._clusters.kind("credentials"), (namespace, credential))
        about = f"Credential {namespace}/{credential} referred in the ClusterDeployment {namespace}/{name}"
        if holder is None:
            raise _invalid(
                f'failed to get {about}: credentials.k0rdent.mirantis.com "{credential}" not found'
            )
        if not holder.get("status", {}).get("ready"):
            raise _invalid(f"the {about} is not Ready")


def _invalid(why: str) -> Refused:
    return denied(_CLUSTERS, f"the ClusterDeployment is invalid: {why}")

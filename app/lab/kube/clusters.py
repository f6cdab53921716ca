"""The controller of ClusterDeployments: validates, provisions, upgrades, scales and deletes as k0rdent does.

Each stage takes a delay. A deployment with ``dryRun`` stops after the validation and, as in k0rdent, says
that it is ready then. The nodes of a cluster are Machines beside it, and its kubeconfig is a Secret.
"""

import base64
from typing import Any, ClassVar

import yaml

from app.lab.kube import nodes
from app.lab.kube.behaviour import Behaviour
from app.lab.kube.conditions import Conditions, find, is_true, set_condition
from app.lab.kube.controller import Controller, owner, status_of
from app.lab.kube.kinds import SECRETS, Kind
from app.lab.kube.stages import Stage, Stages
from app.lab.kube.store import Event, Key, Object

FINALIZER = "k0rdent.mirantis.com/cluster-deployment"
_LABEL = {"k0rdent.mirantis.com/component": "kcm"}
_RECHECK = 1.0  # Seconds until something that is wrong is looked at again.

# What a deletion waits for, in this order; the first only with ``cleanupOnDeletion``.
_CLOUD = ("WaitingForCloudResourcesDeletion", "Waiting for cloud resources to be deleted")
_BLOCKERS = (
    ("WaitingForClusterDeletion", "Waiting for CAPI Cluster to be deleted"),
    ("WaitingForHelmReleaseDeletion", "Waiting for HelmRelease to be deleted"),
)
# Conditions whose "False" is a failure and no mere delay.
_CRITICAL = ("TemplateReady", "CredentialReady", "HelmChartReady", "HelmReleaseReady")


class Clusters(Controller):
    """See the module."""

    name: ClassVar[str] = "kcm-controller-manager"
    plural: ClassVar[str] = "clusterdeployments"

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self._stages = Stages()

    def concerns(self, kind: Kind, event: Event) -> Key | None:
        return event.record.key if kind.plural == self.plural else None

    def reconcile(self, key: Key) -> float | None:
        kind = self.kind(self.plural)
        content, behaviour = self.find(kind, key), self.behaviours.of(key[1])
        if content is None or behaviour.asleep:
            return None
        stage = self._stages.of(content)
        if stage.left:
            return stage.left
        if content["metadata"].get("deletionTimestamp"):
            return self._delete(kind, content, behaviour, stage)
        if self._adopt(kind, content):
            return None  # The change wakes us again.
        return self._advance(kind, content, behaviour, stage)

    def _adopt(self, kind: Kind, content: Object) -> bool:
        metadata = content["metadata"]
        if FINALIZER in metadata.get("finalizers", ()):
            return False
        metadata["finalizers"] = [*metadata.get("finalizers", ()), FINALIZER]
        metadata["labels"] = metadata.get("labels", {}) | _LABEL
        self.change(kind, content)
        return True

    def _advance(self, kind: Kind, content: Object, behaviour: Behaviour, stage: Stage) -> float | None:
        status = _begun(content)
        fine = self._validate(content, status)
        again: float | None = None
        if not fine:
            again = _RECHECK
        elif content["spec"].get("dryRun"):
            pass
        elif stage.number == 0 and is_true(
            content.get("status", {}).get("conditions", []),
            "CAPIClusterSummary",
            content["metadata"]["generation"],
        ):
            stage.number = 4  # Another life of this controller has done it.
        elif stage.number == 0 and behaviour.lies:
            _set(content, status, "HelmReleaseReady", "True", "InstallSucceeded")
            _set(content, status, "CAPIClusterSummary", "True", "InfoReported")
        elif stage.number == 0 and behaviour.hasty and find(status["conditions"], "CAPIClusterSummary"):
            again = stage.follow(behaviour.delay)
        elif stage.number <= 1:
            again = self._release(content, status, behaviour, stage)
        elif stage.number == 2:
            again = self._await_nodes(content, status, behaviour, stage)
        elif stage.number == 3:
            self._provision(kind, content, status)
            stage.number = 4
        _summarise(content, status)
        self.set_status(kind, content, status)
        return again

    def _validate(self, content: Object, status: Object) -> bool:
        """Look at template, credential and values, and say what is to be said of them."""
        namespace, spec = content["metadata"]["namespace"], content["spec"]
        template = self.find(self.kind("clustertemplates"), (namespace, spec["template"]))
        credential = self.find(self.kind("credentials"), (namespace, spec.get("credential", "")))
        told = template.get("status", {}) if template else {}
        ready = bool(credential and credential.get("status", {}).get("ready"))
        wrong = nodes.problem(spec.get("config") or {})
        checks = {
            "TemplateReady": ""
            if told.get("valid")
            else f"ClusterTemplate {namespace}/{spec['template']} is not valid",
            "CredentialReady": ""
            if ready
            else f"the Credential {namespace}/{spec.get('credential')} is not ready",
            "HelmChartReady": wrong and f"failed to validate template with provided configuration: {wrong}",
        }
        for type_, problem in checks.items():
            result = ("False", "Failed", problem) if problem else ("True", "Succeeded", "")
            _set(content, status, type_, *result)
        if told.get("k8sVersion"):
            status["k8sVersion"] = told["k8sVersion"]
        status["availableUpgrades"] = upgrades(self, namespace, spec["template"])
        return not any(checks.values())

    def _release(self, content: Object, status: Object, behaviour: Behaviour, stage: Stage) -> float | None:
        if behaviour.fail:
            _set(content, status, "HelmReleaseReady", "False", "InstallFailed", behaviour.fail)
            return None
        running = "Running 'install' action with timeout of 20m0s"
        _set(content, status, "HelmReleaseReady", "Unknown", "Progressing", running)
        if stage.number == 0:
            stage.number = 1
            self.tell(
                self.kind(self.plural), content, "HelmReleaseUpdated", "Successfully updated HelmRelease"
            )
        return stage.follow(behaviour.delay)

    def _await_nodes(
        self, content: Object, status: Object, behaviour: Behaviour, stage: Stage
    ) -> float | None:
        _set(content, status, "HelmReleaseReady", "True", "InstallSucceeded", "Helm install succeeded")
        count = sum(nodes.wanted(content["spec"].get("config") or {}).values())
        waiting = (
            f"* InfrastructureReady: waiting for infrastructure\n* {count} Machines: not all are up to date"
        )
        _set(content, status, "CAPIClusterSummary", "False", "InProgress", waiting)
        return None if behaviour.never else stage.follow(behaviour.delay)

    def _provision(self, kind: Kind, content: Object, status: Object) -> None:
        nodes.settle(self, kind, content, content["spec"].get("config") or {}, status.get("k8sVersion", ""))
        self._give_access(kind, content)
        _set(content, status, "CAPIClusterSummary", "True", "InfoReported")
        self.tell(kind, content, "CAPIClusterIsReady", "Cluster has been provisioned")

    def _give_access(self, kind: Kind, content: Object) -> None:
        """The kubeconfig of the new cluster."""
        namespace, name = content["metadata"]["namespace"], content["metadata"]["name"]
        if self.objects.store.get(SECRETS, (namespace, f"{name}-kubeconfig")):
            return
        secret = {
            "metadata": {
                "name": f"{name}-kubeconfig",
                "labels": {nodes.CLUSTER: name},
                "ownerReferences": [owner(kind, content)],
            },
            "type": "cluster.x-k8s.io/secret",
            "data": {"value": base64.b64encode(_kubeconfig(name).encode()).decode()},
        }
        self.create(SECRETS, namespace, secret)

    def _delete(self, kind: Kind, content: Object, behaviour: Behaviour, stage: Stage) -> float | None:
        if FINALIZER not in content["metadata"].get("finalizers", ()):
            return None
        blockers = [*([_CLOUD] if content["spec"].get("cleanupOnDeletion") else []), *_BLOCKERS]
        if stage.number < len(blockers):
            status = _begun(content)
            reason, message = blockers[stage.number]
            if behaviour.stuck:
                message += f": Machine {content['metadata']['name']}-cp-0 still has its finalizer"
            _set(content, status, "Deleting", "True", reason, message)
            _set(content, status, "Ready", "False", "Deleting", message)
            self.set_status(kind, content, status)
            waits = behaviour.stuck and reason == "WaitingForClusterDeletion"
            return None if waits else stage.follow(behaviour.delete_delay)
        namespace, name = content["metadata"]["namespace"], content["metadata"]["name"]
        nodes.remove(self, content)
        self.delete(SECRETS, (namespace, f"{name}-kubeconfig"))
        self._stages.forget(content["metadata"]["uid"])
        self.release(kind, content, FINALIZER)
        return None


def upgrades(controller: Controller, namespace: str, template: str) -> list[str]:
    """To which templates a chain lets clusters of a template go."""
    chains = controller.objects.store.records(controller.kind("clustertemplatechains"), namespace)
    supported = (one for record in chains for one in record.object()["spec"].get("supportedTemplates", ()))
    return [
        to["name"] for one in supported if one["name"] == template for to in one.get("availableUpgrades", ())
    ]


def _begun(content: Object) -> Object:
    """The status so far, for the wish as it stands now."""
    status: Object = status_of(content) | {"observedGeneration": content["metadata"]["generation"]}
    status.setdefault("conditions", [])
    return status


def _set(content: Object, status: Object, type_: str, state: str, reason: str, message: str = "") -> None:
    generation = content["metadata"]["generation"]
    set_condition(status["conditions"], type_, state, reason, message, generation)


def _summarise(content: Object, status: Object) -> None:
    """Ready out of all others: failures come before delays, and delays before what nobody knows."""
    conditions: Conditions = [one for one in status["conditions"] if one["type"] != "Ready"]
    no = [one for one in conditions if one["status"] == "False"]
    failed = [one["message"] for one in no if one["type"] in _CRITICAL]
    unknown = [one["message"] for one in conditions if one["status"] == "Unknown"]
    if failed:
        _set(content, status, "Ready", "False", "Failed", ". ".join(failed))
    elif no:
        _set(content, status, "Ready", "False", "Progressing", ". ".join(one["message"] for one in no))
    elif unknown:
        _set(content, status, "Ready", "Unknown", "Progressing", ". ".join(unknown))
    else:
        _set(content, status, "Ready", "True", "Succeeded", "Object is ready")


def _kubeconfig(name: str) -> str:
    server = {"server": f"https://{name}.lab.invalid:6443"}
    return str(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": name,
                "clusters": [{"name": name, "cluster": server}],
                "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
                "users": [{"name": name, "user": {"token": f"token-of-{name}"}}],
            }
        )
    )

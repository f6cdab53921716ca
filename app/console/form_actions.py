"""The actions that a form can do: the request of the API that each makes, and the fields of its form.

A form_action is data; `app.console.form_pages` shows its form and does it. The fields are those of the
request's body in the API's own document, so a form asks for what the API takes and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class FormAction:
    """One action with a form; a request of the API as data."""

    title: str  # {name} is replaced by the display name of the resource.
    button: str
    path: str  # Of the request; {id} is replaced by the id of the resource.
    scope: str
    after: str  # The page shown afterwards; {id} and {run} are replaced by the ids of resource and run.
    method: str = "POST"
    body: str = ""  # The name of the body's schema.
    asks: tuple[str, ...] = ()  # Fields of the form, in this order; empty: all but `FIXED`.
    says: Mapping[str, object] = field(
        default_factory=dict
    )  # Members of the body that are not fields of the form.
    reads: str = ""  # The path from which the resource is read, for its name and version.
    about: str = ""  # What the action does, in a sentence.
    sure: bool = False  # Whether the name must be typed as a confirmation.
    plans: bool = False  # Whether it has a dry run.
    once: bool = False  # Whether the answer has a secret that is shown only once.
    query: tuple[str, ...] = ()  # Flags of the query.


FIXED = frozenset(("idempotencyKey", "callbackUrl", "action"))
RUNS = "/v1/workflows/runs/{id}"
RUN_ABOUT = ("onFailure", "tags")


def _run(verb: str, title: str, button: str, about: str, *asks: str) -> FormAction:
    return FormAction(
        title=title,
        button=button,
        path=f"{RUNS}/actions",
        body="RunActionBody",
        asks=(*asks, "reason"),
        says={"action": verb},
        scope="runs:write",
        reads=RUNS,
        after="/runs/{id}",
        about=about,
    )


def _server(
    verb: str, title: str, button: str, *asks: str, about: str = "", sure: bool = False
) -> FormAction:
    return FormAction(
        title=title,
        button=button,
        path="/v1/servers/{id}/actions",
        body="ServerActionBody",
        asks=(*asks, *RUN_ABOUT) if verb != "maintenance" else asks,
        says={"action": verb},
        scope="servers:write",
        reads="/v1/servers/{id}",
        after="/runs/{run}",
        about=about,
        sure=sure,
        plans=verb != "maintenance",
    )


def _vm(verb: str, button: str, *asks: str) -> FormAction:
    return FormAction(
        title=f"{button} {{name}}",
        button=button,
        path="/v1/vms/{id}/actions",
        body="VmActionBody",
        asks=(*asks, "tags"),
        says={"action": verb},
        scope="servers:write",
        reads="/v1/vms/{id}",
        after="/runs/{run}",
        plans=True,
    )


def _simple(kind: str, path: str, title: str, button: str, **more: Any) -> FormAction:
    scope = "webhooks" if kind == "webhooks" else "runs:write"
    given = {"scope": scope, "after": f"/{kind}/{{id}}", "reads": f"/v1/{kind}/{{id}}", **more}
    return FormAction(title=title, button=button, path=f"/v1/{kind}/{{id}}{path}", **given)


BATCH = "/v1/workflows/batch/{id}"


def _batch(
    verb: str, about: str, *asks: str, body: str = "", path: str = "", after: str = "{id}"
) -> FormAction:
    return FormAction(
        title=f"{verb.capitalize()} {{name}}",
        button=verb.capitalize(),
        path=f"{BATCH}/{path or verb}",
        body=body,
        asks=asks,
        scope="runs:write",
        reads=BATCH,
        after=f"/batches/{after}",
        about=about,
    )


FORM_ACTIONS: dict[str, FormAction] = {
    "batch-pause": _batch("pause", "No operation and no item begins; what runs ends."),
    "batch-resume": _batch("resume", "It goes on where it was."),
    "batch-cancel": _batch(
        "cancel",
        "Nothing more begins, and what runs ends; what was made is undone if you say so.",
        "rollback",
        body="BatchCancelBody",
    ),
    "batch-retry": _batch(
        "retry",
        "A new batch keeps what stands of this one and does the rest.",
        *("from", "operations", "only_failed"),
        body="BatchRetryBody",
        after="{run}",
    ),
    "batch-checkpoint": _batch(
        "checkpoint",
        "A place that a rollback can go back to.",
        "name",
        body="BatchCheckpointBody",
        path="checkpoints",
    ),
    "run-resume": _run(
        "resume", "Resume {name}", "Resume", "The step that failed is tried again, with fresh attempts."
    ),
    "run-compensate": _run(
        "compensate", "Undo {name}", "Undo", "What the run has done is undone, the last step first."
    ),
    "run-skip": _run(
        "skip", "Skip a step of {name}", "Skip", "The step is left out, and the run goes on after it.", "step"
    ),
    "run-resolve": _run(
        "resolve",
        "Resolve a step of {name}",
        "Resolve",
        "You say that the step took effect; the run goes on.",
        "step",
    ),
    "run-pause": _run(
        "pause", "Pause {name}", "Pause", "Nothing new starts; a step that is at work ends first."
    ),
    "run-unpause": _run("unpause", "Unpause {name}", "Unpause", "The run goes on where it was."),
    "run-acknowledge": _run(
        "acknowledge",
        "Acknowledge {name}",
        "Acknowledge",
        "You say that its failure is dealt with; nothing else changes.",
    ),
    "run-cancel": FormAction(
        title="Cancel {name}",
        button="Cancel the run",
        path=f"{RUNS}/cancel",
        body="CancelBody",
        asks=("mode", "reason"),
        scope="runs:write",
        reads=RUNS,
        after="/runs/{id}",
        about="It stops, and what it did is undone. Graceful lets a step that is at work end first.",
    ),
    "server-register": FormAction(
        title="Register a server",
        button="Register",
        path="/v1/servers",
        body="RegisterBody",
        scope="servers:write",
        after="/runs/{run}",
        about="Connects to the management controller, identifies the machine and records it.",
        plans=True,
    ),
    "server-inspect": _server("inspect", "Inspect {name}", "Inspect"),
    "server-provision": _server("provision", "Install {name}", "Install", "image", "userData", "networkData"),
    "server-powerOn": _server("powerOn", "Power on {name}", "Power on"),
    "server-powerOff": _server("powerOff", "Power off {name}", "Power off", "mode"),
    "server-reboot": _server("reboot", "Reboot {name}", "Reboot", "mode"),
    "server-deprovision": _server(
        "deprovision",
        "Give {name} back",
        "Deprovision",
        about="The machine is wiped and free again.",
        sure=True,
    ),
    "server-maintenance": _server(
        "maintenance",
        "Maintenance of {name}",
        "Maintenance",
        "enabled",
        "reason",
        about="A server in maintenance gets no new work.",
    ),
    "server-decommission": FormAction(
        title="Decommission {name}",
        button="Decommission",
        method="DELETE",
        path="/v1/servers/{id}",
        scope="servers:write",
        reads="/v1/servers/{id}",
        after="/runs/{run}",
        about="The machine is turned off and leaves the inventory. Only deprovisioning wipes it.",
        sure=True,
        query=("force",),
    ),
    "cluster-create": FormAction(
        title="Create a cluster",
        button="Create",
        path="/v1/clusters",
        body="ClusterBody",
        scope="servers:write",
        after="/runs/{run}",
        plans=True,
    ),
    "cluster-scale": FormAction(
        title="Scale {name}",
        button="Scale",
        path="/v1/clusters/{id}/scale",
        body="ScaleBody",
        asks=("workers", "controlPlanes", *RUN_ABOUT),
        scope="servers:write",
        reads="/v1/clusters/{id}",
        after="/runs/{run}",
        plans=True,
    ),
    "cluster-upgrade": FormAction(
        title="Upgrade {name}",
        button="Upgrade",
        path="/v1/clusters/{id}/upgrade",
        body="UpgradeBody",
        asks=("template", "kubernetesVersion", *RUN_ABOUT),
        scope="servers:write",
        reads="/v1/clusters/{id}",
        after="/runs/{run}",
        plans=True,
    ),
    "cluster-delete": FormAction(
        title="Delete {name}",
        button="Delete",
        method="DELETE",
        path="/v1/clusters/{id}",
        scope="servers:write",
        reads="/v1/clusters/{id}",
        after="/runs/{run}",
        about="The cluster is deleted; its servers are given back once it is gone.",
        sure=True,
    ),
    "vm-create": FormAction(
        title="Create a virtual machine",
        button="Create",
        path="/v1/vms",
        body="VmBody",
        scope="servers:write",
        after="/runs/{run}",
        plans=True,
    ),
    "vm-start": _vm("start", "Start"),
    "vm-stop": _vm("stop", "Stop", "gracePeriodSeconds", "force"),
    "vm-restart": _vm("restart", "Restart", "gracePeriodSeconds", "force"),
    "vm-pause": _vm("pause", "Pause"),
    "vm-unpause": _vm("unpause", "Unpause"),
    "vm-delete": FormAction(
        title="Delete {name}",
        button="Delete",
        method="DELETE",
        path="/v1/vms/{id}",
        scope="servers:write",
        reads="/v1/vms/{id}",
        after="/runs/{run}",
        sure=True,
        query=("force",),
    ),
    "pool-create": FormAction(
        title="Create a pool",
        button="Create",
        path="/v1/pools",
        body="PoolBody",
        scope="servers:write",
        after="/pools",
    ),
    "worker-drain": FormAction(
        title="Drain {name}",
        button="Drain",
        path="/v1/workers/{id}/drain",
        body="WorkerBody",
        scope="admin",
        after="/workers",
        about="Within ten seconds it takes nothing new; what it does ends. It stays so until it is resumed.",
    ),
    "worker-resume": FormAction(
        title="Let {name} take work again",
        button="Resume",
        path="/v1/workers/{id}/resume",
        body="WorkerBody",
        scope="admin",
        after="/workers",
    ),
    "lock-release": FormAction(
        title="Release the lock of {name}",
        button="Release",
        method="DELETE",
        path="/v1/locks/{id}",
        body="ReleaseBody",
        scope="admin",
        after="/locks",
        about="The run that holds it goes on without it: two runs may then work on the machine at once.",
        sure=True,
    ),
    "type-pause": FormAction(
        title="Pause {name}",
        button="Pause",
        path="/v1/workflows/types/{id}/actions",
        body="TypeActionBody",
        says={"action": "pause"},
        asks=("reason",),
        scope="admin",
        after="/types/{id}",
        about="No new run of this type is accepted; those that are open go on.",
    ),
    "type-resume": FormAction(
        title="Accept runs of {name} again",
        button="Resume",
        path="/v1/workflows/types/{id}/actions",
        body="TypeActionBody",
        says={"action": "resume"},
        asks=("reason",),
        scope="admin",
        after="/types/{id}",
    ),
    "schedule-create": FormAction(
        title="Create a schedule",
        button="Create",
        path="/v1/schedules",
        body="ScheduleBody",
        scope="runs:write",
        after="/schedules",
    ),
    "schedule-run": _simple("schedules", "/run", "Run {name} now", "Run now", after="/runs/{run}"),
    "schedule-pause": _simple("schedules", "/pause", "Pause {name}", "Pause", body="PauseBody"),
    "schedule-unpause": _simple("schedules", "/unpause", "Unpause {name}", "Unpause"),
    "schedule-delete": _simple(
        "schedules", "", "Delete {name}", "Delete", method="DELETE", after="/schedules", sure=True
    ),
    "webhook-create": FormAction(
        title="Create a webhook",
        button="Create",
        path="/v1/webhooks",
        body="WebhookBody",
        scope="webhooks",
        after="/webhooks",
        once=True,
    ),
    "webhook-test": _simple("webhooks", "/test", "Send a test to {name}", "Send"),
    "webhook-rotate": _simple(
        "webhooks",
        "/rotate",
        "Give {name} a new secret",
        "Rotate",
        once=True,
        about="The old one signs as well for 24 hours.",
    ),
    "webhook-delete": _simple(
        "webhooks", "", "Delete {name}", "Delete", method="DELETE", after="/webhooks", sure=True
    ),
    "key-create": FormAction(
        title="Make an API key",
        button="Make",
        path="/v1/keys",
        body="KeyBody",
        scope="admin",
        after="/keys",
        about="Its token is shown this once.",
        once=True,
    ),
    "key-revoke": FormAction(
        title="Revoke {name}",
        button="Revoke",
        method="DELETE",
        path="/v1/keys/{id}",
        scope="admin",
        reads="/v1/keys/{id}",
        after="/keys",
        about="The key is useless at once, and its sessions end.",
        sure=True,
    ),
    "session-end": FormAction(
        title="End this session",
        button="End",
        method="DELETE",
        path="/v1/sessions/{id}",
        scope="admin",
        after="/keys",
        about="Whoever uses it has to log in again.",
    ),
    "run-signal": FormAction(
        title="Send a signal to {name}",
        button="Send",
        path="/api/workflows/runs/{id}/signals",
        body="SignalBody",
        asks=("name", "data"),
        scope="runs:write",
        reads=RUNS,
        after="/runs/{id}",
        about="Whoever waits for a signal of this name takes it; else it is kept until somebody does.",
    ),
}

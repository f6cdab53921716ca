"""The calls of ``subresources.kubevirt.io``: power and pause, answered as KubeVirt does."""

from collections.abc import Callable, Mapping
from typing import Any

from app.lab.http import Request, Response
from app.lab.kube.conditions import is_true, set_condition
from app.lab.kube.controller import status_of
from app.lab.kube.errors import Refused, bad_request, conflict, no_such_path, not_allowed, not_found
from app.lab.kube.kinds import Kind
from app.lab.kube.store import Key, Object
from app.lab.kube.tokens import User
from app.lab.kube.vms import FINAL, Machines, strategy
from app.lab.kube.writes import Write

_PREFIX = "/apis/subresources.kubevirt.io/v1/namespaces/"
_NOT_RUNNING = "VM is not running"

Act = Callable[[Key, Mapping[str, object]], None]


class Subresources:
    """The calls of one management cluster."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines
        self._acts: dict[tuple[str, str], Act] = {
            ("virtualmachines", "start"): self._start,
            ("virtualmachines", "stop"): self._stop,
            ("virtualmachines", "restart"): self._restart,
            ("virtualmachineinstances", "pause"): lambda key, body: self._pause(key, body, paused=True),
            ("virtualmachineinstances", "unpause"): lambda key, body: self._pause(key, body, paused=False),
            ("virtualmachineinstances", "softreboot"): self._touch,
            ("virtualmachineinstances", "reset"): self._touch,
        }

    def answer(self, request: Request, user: User) -> Response | None:
        """202 when the call was taken; None when the path is of something else. Raises `Refused`."""
        if not request.path.startswith(_PREFIX):
            return None
        parts = request.path.removeprefix(_PREFIX).split("/")
        act = self._acts.get((parts[1], parts[3])) if len(parts) == 4 else None
        if act is None:
            raise no_such_path()
        if request.method != "PUT":
            raise not_allowed()
        body = request.json() or {}
        if not isinstance(body, Mapping):
            raise bad_request("the body must be an object")
        act((parts[0], parts[2]), body)
        if not body.get("dryRun"):
            self._note(parts[1], (parts[0], parts[2]), parts[3], user, request)
        return Response(status=202)

    def _start(self, key: Key, body: Mapping[str, object]) -> None:
        vm, vmi = self._vm(key), self._machines.instance(key)
        how, phase = strategy(vm), _phase(vmi)
        if vmi and phase not in ("", *FINAL):
            raise self._conflict(key, "VM is already running")
        if how in ("Always", "Once"):
            raise self._conflict(key, f"{how} does not support manual start requests")
        if how == "Halted":
            return self._run(key, vm, body, running=True)
        if how == "RerunOnFailure" and phase == "Failed":
            raise self._conflict(key, f"{how} does not support starting VM from failed state")
        again = [{"action": "Stop", "uid": vmi["metadata"]["uid"]}] if vmi and phase in FINAL else []
        return self._request(key, vm, body, [*again, {"action": "Start"}])

    def _stop(self, key: Key, body: Mapping[str, object]) -> None:
        vm, vmi = self._vm(key), self._machines.instance(key)
        how = strategy(vm)
        if how in ("Always", "Once"):
            return self._run(key, vm, body, running=False)
        if vmi is None or _phase(vmi) in FINAL:
            raise self._conflict(key, _NOT_RUNNING)
        grace = vmi["spec"].get("terminationGracePeriodSeconds", 30)
        if how == "Halted" and body.get("gracePeriod", grace) >= grace:
            raise self._conflict(key, f"{how} only supports manual stop requests with a shorter graceperiod")
        return self._request(key, vm, body, [{"action": "Stop", "uid": vmi["metadata"]["uid"]}])

    def _restart(self, key: Key, body: Mapping[str, Any]) -> None:
        if body.get("gracePeriodSeconds", 0) > 0:
            raise bad_request("For force restart, only gracePeriod=0 is supported for now")
        if body.get("gracePeriodSeconds", 0) < 0:
            raise bad_request("gracePeriod has to be greater or equal to 0")
        vm, vmi = self._vm(key), self._machines.instance(key)
        if strategy(vm) in ("Halted", "Once"):
            raise self._conflict(key, f"RunStategy {strategy(vm)} does not support manual restart requests")
        if vmi is None:
            raise self._conflict(key, "VM is not running: Halted")
        stop = {"action": "Stop", "uid": vmi["metadata"]["uid"]}
        self._request(key, vm, body, [stop, {"action": "Start"}])

    def _pause(self, key: Key, body: Mapping[str, object], *, paused: bool) -> None:
        kind, vmi = self._running(key)
        status = status_of(vmi)
        if is_true(status["conditions"], "Paused") == paused:
            raise self._conflict(key, "VMI is already paused" if paused else "VMI is not paused", kind)
        if self._ineffective(key, body):
            return
        status["conditions"] = [one for one in status["conditions"] if one["type"] != "Paused"]
        if paused:
            set_condition(status["conditions"], "Paused", "True", "PausedByUser", "VMI was paused by user")
        self._machines.set_status(kind, vmi, status)

    def _touch(self, key: Key, body: Mapping[str, object]) -> None:
        self._running(key)

    def _running(self, key: Key) -> tuple[Kind, Object]:
        kind = self._machines.kind("virtualmachineinstances")
        vmi = self._machines.instance(key)
        if vmi is None:
            raise not_found(kind, key[1])
        if _phase(vmi) != "Running":
            raise self._conflict(key, _NOT_RUNNING, kind)
        return kind, vmi

    def _vm(self, key: Key) -> Object:
        return self._machines.objects.get(self._machines.kind("virtualmachines"), key)

    def _run(self, key: Key, vm: Object, body: Mapping[str, object], *, running: bool) -> None:
        """Change the run strategy, as KubeVirt does for machines whose strategy says whether they run."""
        if self._ineffective(key, body):
            return
        if "runStrategy" in vm["spec"]:
            vm["spec"]["runStrategy"] = "Always" if running else "Halted"
        else:
            vm["spec"]["running"] = running
        self._machines.change(self._machines.kind("virtualmachines"), vm)

    def _request(self, key: Key, vm: Object, body: Mapping[str, object], wishes: list[Object]) -> None:
        """Leave wishes for the controller; of what it has not yet done, only a stop takes the place."""
        status = vm.get("status", {})
        if status.get("stateChangeRequests") and [one["action"] for one in wishes] != ["Stop"]:
            why = "Internal error occurred: unable to complete request: stop/start already underway"
            raise Refused(500, "InternalError", why)
        if self._ineffective(key, body):
            return
        kind = self._machines.kind("virtualmachines")
        self._machines.set_status(kind, vm, status | {"stateChangeRequests": wishes})

    def _ineffective(self, key: Key, body: Mapping[str, object]) -> bool:
        return bool(body.get("dryRun")) or self._machines.behaviours.of(key[1]).lies

    def _conflict(self, key: Key, why: str, kind: Kind | None = None) -> Refused:
        return conflict(kind or self._machines.kind("virtualmachines"), key[1], why)

    def _note(self, plural: str, key: Key, effect: str, user: User, request: Request) -> None:
        kind = self._machines.kind(plural)
        content = self._machines.find(kind, key)
        if content:
            manager = request.headers.get("user-agent", "unknown").partition("/")[0]
            self._machines.objects.note(effect, kind, content, Write(user=user.name, manager=manager))


def _phase(vmi: Object | None) -> str:
    return str(vmi.get("status", {}).get("phase", "")) if vmi else ""

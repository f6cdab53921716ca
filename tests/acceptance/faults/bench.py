"""A running service whose every part can be killed, and runs that are in the middle of something."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import httpx
import psutil

from app.config import environment, load
from app.domain.json import JsonObject
from app.host import up
from app.record.runs import runs
from app.record.runs.doctor import findings
from app.record.service import heartbeats
from app.record.session import Database
from tests.acceptance.servers.site import IMAGE, Machine, Service, Site
from tests.support.plain import http
from tests.support.servers import KeyValue, Postgres, until
from windlass import Run, Unavailable

POWER_MS = 5_000  # How long a machine takes to go off: long enough to kill a worker on a busy host, too.
BACK_S = 60.0
STARTED = ["boot network", "power.off", "power.on", "boot.started network"]
SUCCESS = [*STARTED, "install.started", "install.done", "boot disk"]
UNDONE = [*STARTED, "install.started", "install.failed", "power.off", "boot default"]


@dataclass(frozen=True, kw_only=True)
class Bench:
    """The service, and the servers that it depends on."""

    service: Service
    db: Database
    store: KeyValue | None = None  # Redis or Valkey; None when it is embedded.
    postgres: Postgres | None = None  # None on SQLite, which has no server.

    def site(self, protocol: str) -> Site:
        """What tests of servers work with."""
        return Site(service=self.service, protocol=protocol)

    def provisioning(self) -> "Work":
        """Two provisionings while their machines are turned off; the second one will fail later."""
        machines = [self.site(protocol).machine(power="on") for protocol in ("redfish", "ipmi")]
        for begin in (Machine.register, inspect):
            for run in [self.ended(begin(machine)) for machine in machines]:
                assert run.status == "completed", run.error
        machines[0].set(powerDelayMs=POWER_MS)
        machines[1].set(powerDelayMs=POWER_MS, installer={"status": "failed"})
        for machine in machines:
            machine.forget()
        ids = [one.act("provision", image=IMAGE, on_failure="compensate") for one in machines]
        until(lambda: not any(one.bmc.settled for one in machines), why="both are told to go off")
        return Work(bench=self, machines=machines, run_ids=ids)

    def ended(self, run_id: str, seconds: float = BACK_S) -> Run:
        """The run once it has ended, whatever is away in the meantime."""

        def look() -> Run | None:
            with suppress(Unavailable):
                run = self.service.client.runs.get(run_id)
                return run if run.ended else None
            return None

        run = until(look, seconds, lambda: f"the end of {run_id}: {self.facts(run_id)}")
        assert run is not None
        return run

    def step(self, run_id: str, key: str) -> dict[str, Any]:
        """A step's row."""
        return cast("JsonObject", self.db.read(lambda tx: runs.one_step(tx, run_id, "forward", key)) or {})

    def facts(self, run_id: str) -> dict[str, Any]:
        """What SQL knows of a run, for a test that fails."""
        return cast("JsonObject", self.db.read(lambda tx: runs.read_run(tx, run_id), patience_s=30) or {})

    def losses(self, run_id: str) -> list[int]:
        """When the run lost a worker, in milliseconds since 1970."""
        events = self.db.read(lambda tx: runs.events_of(tx, run_id))
        return [one["at"] for one in events if one["type"] == "step.lost"]

    def reconcilers(self) -> int:
        """How many reconcilers have stored a heartbeat in the last seconds."""
        beats_ = self.db.read(
            lambda tx: [one for one in heartbeats.all_beats(tx) if one["at"] > tx.now - 3_000]
        )
        return sum(one["kind"] == "reconciler" for one in beats_)

    def is_ready(self) -> bool:
        """Whether the API answers again."""
        return up.is_ready(self.service.stack.settings)

    def kill_host(self) -> None:
        """Kill -9 the worker host with all its processes; `windlass up` starts another."""
        host = self.service.stack.find("worker")
        assert host is not None
        family = [host, *host.children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, 10)

    def windlass(self, *words: str) -> subprocess.CompletedProcess[str]:
        """The command line, against this service."""
        return subprocess.run(
            [sys.executable, "-m", "app.cli", *words],
            env=environment(self.service.stack.settings, WINDLASS_URL=self.service.stack.url),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    @contextmanager
    def beside(self, *words: str, log: Path, **environ: str) -> Iterator[psutil.Process]:
        """A further process of the service; it is asked to stop in the end."""
        settings = load({**settings_of(self), **environ})
        argv = [sys.executable, "-m", "app.cli", *words]
        with log.open("ab") as out:
            started = psutil.Popen(argv, env=environment(settings), stdout=out, stderr=out)
        try:
            yield started
        finally:
            with suppress(psutil.NoSuchProcess):
                started.terminate()
            started.wait(300)


@dataclass(frozen=True, kw_only=True)
class Work:
    """Two runs under way: one will succeed, the other will fail late and be undone."""

    bench: Bench
    machines: list[Machine]
    run_ids: list[str]

    def kill_child(self) -> None:
        """Kill -9 the pool process that works on the first run."""
        holder = str(self.bench.step(self.run_ids[0], "power")["holder"])
        os.kill(int(holder.rpartition("/")[0].rpartition(":")[2]), signal.SIGKILL)

    @property
    def is_hit(self) -> bool:
        """Whether the step of the first run was under way until the fault, and is not done yet."""
        return bool(self.bench.step(self.run_ids[0], "power")["status"] != "completed")

    def hurry(self) -> None:
        """From now on the machines change their power at once."""
        for machine in self.machines:
            machine.set(powerDelayMs=100)

    def step_ends(self) -> None:
        """Wait until the step that was under way has ended in both runs."""
        for run_id in self.run_ids:
            until(lambda run_id=run_id: self.bench.step(run_id, "power")["status"] == "completed")  # type: ignore[misc]

    def is_done_once(self) -> None:
        """Both end as they should, the machines saw every effect once, and the doctor finds nothing."""
        ended = [self.bench.ended(run_id) for run_id in self.run_ids]
        assert [run.status for run in ended] == ["completed", "failed"], [run.error for run in ended]
        assert [one.effects for one in self.machines] == [SUCCESS, UNDONE]
        assert [one.server.state for one in self.machines] == ["provisioned", "error"]
        assert self.bench.db.read(findings) == []


def inspect(machine: Machine) -> str:
    """Ask for an inspection."""
    return machine.act("inspect")


def settings_of(bench: Bench) -> Mapping[str, str]:
    """The settings of the service as variables."""
    return environment(bench.service.stack.settings)


def post(bench: Bench, path: str, body: Mapping[str, Any]) -> httpx.Response:
    """A request as it is, without the client's patience."""
    return http.post(f"{bench.service.stack.url}{path}", json=body, timeout=20)

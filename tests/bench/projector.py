"""How fast the projector is: ``python -m tests.bench.projector [--database sqlite|postgres]``.

A lab of 1,000 clusters and 10,000 machines, an API and one projector, each in a process of its own. Measured
are the first list, its memory, how long a change needs until the API shows it (quiet, and while 200 changes a
second happen elsewhere), and how far the cache is behind when the changes end.
"""

import argparse
import contextlib
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import insert, select

from app.auth.keys import LOCAL
from app.config import Settings, environment, load
from app.host import programs
from app.providers.kube import Kube
from app.providers.kubeconfig import cleaned
from app.providers.vms.kubevirt import collection, seen
from app.record import migrate
from app.record.inventory import sources
from app.record.session import Database
from app.record.tables import cluster, run, vm
from app.services import managements
from app.wiring import wire
from tests.support.ports import free_port
from tests.support.servers import Postgres, new_postgres, remove, until

CLUSTERS, VMS, RATE = 1_000, 10_000, 200
PROBES, CHURN_S = 100, 30.0
PROBED = f"vm_{7:026}"
MACHINES = collection("default")


@contextlib.contextmanager
def process(argv: tuple[str, ...], settings: Settings, log: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process of the service or of the lab, ended at the end."""
    with log.open("w") as err:
        started = subprocess.Popen(
            argv, env=environment(settings), stdout=subprocess.PIPE, stderr=err, text=True
        )
        try:
            yield started
        finally:
            started.terminate()
            started.communicate(timeout=30)


def peak_mb(pid: int) -> float:
    """The most memory that a process has held so far."""
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[1]) / 1024  # type: ignore[index]


def plant(db: Database, management_id: str) -> None:
    """Rows for everything that the lab will be filled with."""
    for table, prefix, count, more in (
        (cluster, "cls", CLUSTERS, {"template": "t", "credential": "c", "state": "ready"}),
        (vm, "vm", VMS, {"run_strategy": "Manual", "state": "stopped"}),
    ):
        common = {"tenant_id": db.tenant, "management_id": management_id, **more}
        rows = [{"id": f"{prefix}_{i:026}", "name": f"load-{i:05}", **common} for i in range(count)]
        db.write(lambda tx, table=table, rows=rows: tx.execute(insert(table), rows))  # type: ignore[misc]


class Bench:
    """Everything that a measurement works with."""

    def __init__(self, db: Database, settings: Settings, lab: dict[str, Any], kubeconfig: str) -> None:
        self.db, self.settings, self.control = db, settings, f"{lab['controlUrl']}/kube/mgmt"
        self.kube = Kube(cleaned(kubeconfig))
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{settings.port}", trust_env=False, timeout=30)
        world = wire(settings, role="cli")
        values = {"name": "lab", "kubeconfig": kubeconfig, "cluster_namespace": "kcm-system"}
        made = managements.create(world, LOCAL, {**values, "machine_namespace": "default"})
        world.db.dispose()
        plant(db, made["id"])
        self.act("load", clusters=CLUSTERS, vms=VMS, owned=True)

    def act(self, action: str, **body: Any) -> None:
        """Call the lab's control."""
        httpx.post(f"{self.control}/{action}", json=body, timeout=120, trust_env=False).raise_for_status()

    def listed(self) -> bool:
        """Whether both sources were listed."""
        rows = [row for row in self.db.read(sources.all_sources) if row["kind"] != sources.SERVERS]
        return len(rows) == 2 and all(row["listed_at"] for row in rows)

    def probe(self, number: int) -> float:
        """Milliseconds from the order to change a status until the API shows the change."""
        word = f"probe {number}"
        failure = {"type": "Failure", "status": "True", "reason": "Probe", "message": word}
        status = {"conditions": [{**failure, "lastTransitionTime": "2026-01-13T12:00:00Z"}]}
        began = time.monotonic()
        path = f"{MACHINES}/load-00007/status"
        self.kube.call("PATCH", path, {"status": status}, type_="application/merge-patch+json")
        until(lambda: self._shown() == word, 60, word, pause=0.002)
        return (time.monotonic() - began) * 1000

    def _shown(self) -> str | None:
        found: str | None = self.http.get(f"/v1/vms/{PROBED}").json()["data"]["lifecycle"]["statusMessage"]
        return found

    def told(self) -> dict[str, int]:
        """How many runs were started, and how many changes they report, with those that still wait."""
        where = run.c.type == "sync.cluster-state"
        runs = self.db.read(lambda tx: [row["input"] for row in tx.rows(select(run.c.input).where(where))])
        wait = [row["tally"] for row in self.db.read(sources.all_sources) if row["tally"]]
        counts = sum((Counter(one["counts"]) for one in [*runs, *wait]), Counter[str]())
        return {"runs": len(runs), **counts}

    def behind(self) -> int:
        """How many machines the cache shows otherwise than they are."""
        there = {one["metadata"]["name"]: seen(one).facts() for one in self.kube.list(MACHINES)}
        rows = self.db.read(lambda tx: tx.rows(select(vm.c.name, vm.c.observed)))
        return sum(row["observed"] != there[row["name"]] for row in rows)


def measure(bench: Bench, logs: Path) -> dict[str, Any]:
    """All figures."""
    with process(programs.projector(), bench.settings, logs / "projector.err") as projector:
        until(lambda: bench.db.read(sources.all_sources), 60, "it has started", pause=0.02)
        began, used = time.monotonic(), cpu_s(projector.pid)
        until(bench.listed, 120, "everything is listed", pause=0.02)
        found: dict[str, Any] = {"listed_s": round(time.monotonic() - began, 2)}
        found["listed_cpu_s"] = round(cpu_s(projector.pid) - used, 2)
        found["listed_peak_mb"] = round(peak_mb(projector.pid))
        assert bench.behind() == 0
        bench.probe(0)
        found["quiet_ms"] = spread([bench.probe(number) for number in range(1, PROBES + 1)])
        before = cpu_s(projector.pid)
        bench.act("churn", rate=RATE, seconds=CHURN_S, telling=True)
        ends = time.monotonic() + CHURN_S
        busy: list[float] = []
        while time.monotonic() < ends - 1:
            busy.append(bench.probe(len(busy) + PROBES + 1))
        found["busy_ms"] = spread(busy)
        found["busy_cpu_share"] = round((cpu_s(projector.pid) - before) / CHURN_S, 2)
        until(lambda: time.monotonic() > ends, 60)
        found["behind_at_the_end"] = bench.behind()
        found["told"] = bench.told()
        found["peak_mb"] = round(peak_mb(projector.pid))
        return found


def spread(took: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    ranked = sorted(took)
    return {
        "n": len(took),
        "p50": round(statistics.median(took), 1),
        "p99": round(ranked[min(len(ranked) - 1, int(len(ranked) * 0.99))], 1),
    }


def cpu_s(pid: int) -> float:
    """Seconds of processor time of a process so far."""
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@contextlib.contextmanager
def database(kind: str, folder: Path) -> Iterator[str]:
    """A fresh database, durable as in production."""
    if kind == "sqlite":
        yield f"sqlite:///{folder / 'windlass.db'}"
        return
    server = new_postgres(_Durable)
    server.start()
    try:
        yield server.url.replace("postgresql://", "postgresql+psycopg://")
    finally:
        remove(server)


class _Durable(Postgres):
    """With its own settings, but for the number of connections."""

    tuning: Mapping[str, str] = {"max_connections": "100"}


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="postgres")
    kind = parser.parse_args().database
    with tempfile.TemporaryDirectory() as name, database(kind, Path(name)) as url:
        folder = Path(name)
        redis = "redis://127.0.0.1:1/0"  # Nothing is published here: no worker takes the runs.
        settings = load(
            {}, database_url=url, redis_url=redis, state_dir=name, port=free_port(), api_workers=1
        )
        migrate.upgrade(url)
        config = folder / "kubeconfig"
        lab = (sys.executable, "-m", "app.lab.kube", "--kubeconfig", str(config))
        db = Database(url)
        with process(lab, settings, folder / "lab.err") as kube:
            told = json.loads(kube.stdout.readline())  # type: ignore[union-attr]
            with process(programs.api(settings), settings, folder / "api.err"):
                bench = Bench(db, settings, told, config.read_text())
                until(lambda: ready(bench), 60, "the API is ready", pause=0.1)
                print(json.dumps({"database": kind, **measure(bench, folder)}, indent=1))
        db.dispose()


def ready(bench: Bench) -> bool:
    """Whether the API answers."""
    with contextlib.suppress(httpx.HTTPError):
        return bench.http.get("/livez").status_code == 200
    return False


if __name__ == "__main__":
    main()

"""Flower as `windlass flower` starts it: it shows the truth about workers and tasks, and changes nothing."""

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.config import Settings, environment
from app.lab import Lab
from tests.support.ports import free_port
from tests.support.servers import until
from tests.support.stack import Stack
from windlass import Client

pytestmark = pytest.mark.sqlite
USER, PASSWORD = "bmc-canary", "Kanarienvogel-4711"
START_S = 60.0
WORKERS = {"default", "bmc"}


class Shown:
    """A running service, a run that it did, and the Flower that watched."""

    def __init__(self, url: str, run_id: str) -> None:
        self.http = httpx.Client(base_url=url, timeout=60, trust_env=False)
        self.run_id = run_id

    def get(self, path: str) -> Any:
        """What Flower's API answers."""
        return self.http.get(path).raise_for_status().json()

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """The tasks of the run, by id."""
        found: dict[str, dict[str, Any]] = self.get("/api/tasks")
        return {key: task for key, task in found.items() if key.startswith(self.run_id)}

    @property
    def first_task(self) -> str:
        """The id of its first task: run, phase, step, generation and what distinguishes two deliveries."""
        (found,) = (key for key in self.tasks if key.startswith(f"{self.run_id}.forward.validate.1."))
        return found


@pytest.fixture(scope="module")
def flower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """Flower, which has watched a registration."""
    folder = tmp_path_factory.mktemp("flower")
    (folder / "state").mkdir(mode=0o700)
    with ExitStack() as open_:
        lab = open_.enter_context(Lab(count=1, user=USER, password=PASSWORD))
        stack = open_.enter_context(closing(Stack(folder / "state", {}, folder / "up.log", only=("bmc",))))
        stack.start()
        settings = replace(stack.settings, flower_port=free_port())
        open_.enter_context(watching(settings, folder / "flower.log"))
        url = f"http://127.0.0.1:{settings.flower_port}"
        until(lambda: has_workers(url), START_S, "Flower knows the workers")
        client = open_.enter_context(Client(stack.url))
        accepted = client.servers.register(
            protocol="ipmi", bmc_address=lab.machines[0].address, username=USER, password=PASSWORD
        )
        assert client.runs.wait(accepted.run_id, timeout_s=300).status == "completed"
        shown = Shown(url, accepted.run_id)
        open_.callback(shown.http.close)
        until(lambda: sum(task["state"] == "SUCCESS" for task in shown.tasks.values()) >= 3, START_S)
        yield shown


@contextmanager
def watching(settings: Settings, log: Path) -> Iterator[None]:
    """Flower, with its HTTP API open, so that nothing but read-only stands before what changes something."""
    argv = [sys.executable, "-m", "app.cli", "flower"]
    environ = environment(settings, FLOWER_UNAUTHENTICATED_API="true")
    with log.open("wb") as out:
        process = subprocess.Popen(argv, env=environ, stdout=out, stderr=out, start_new_session=True)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def names(workers: Mapping[str, Any]) -> list[str]:
    """What the workers are called, without their host."""
    return [name.partition("@")[0] for name in workers]


def has_workers(url: str) -> bool:
    """Whether Flower knows all workers."""
    with suppress(httpx.HTTPError):
        workers = httpx.get(f"{url}/api/workers?refresh=1", timeout=60, trust_env=False)
        return workers.status_code == 200 and {*names(workers.json())} == WORKERS
    return False


def test_it_shows_the_workers_with_their_queues(flower: Shown) -> None:
    workers = flower.get("/api/workers?refresh=1")
    shown = {
        name: [queue["name"] for queue in worker["active_queues"]]
        for name, worker in zip(names(workers), workers.values(), strict=True)
    }
    assert shown == {name: [name] for name in WORKERS}


def test_it_shows_what_ran_under_meaningful_names(flower: Shown) -> None:
    names = [task["name"] for task in sorted(flower.tasks.values(), key=lambda task: task["received"])]
    assert names == [
        "server.register/validate",
        "server.register/connect-bmc..register-host",
        "server.register/settle",
    ]


def test_a_task_is_found_by_the_ids_of_run_step_and_generation(flower: Shown) -> None:
    task = flower.get(f"/api/task/info/{flower.first_task}")
    assert (task["name"], task["state"]) == ("server.register/validate", "SUCCESS")


@pytest.mark.parametrize("path", ["/", "/workers", "/tasks", "/broker"])
def test_its_pages_open(flower: Shown, path: str) -> None:
    assert flower.http.get(path, follow_redirects=True).status_code == 200


def test_it_shows_no_payload(flower: Shown) -> None:
    shown = [(task["args"], task["kwargs"]) for task in flower.tasks.values()]
    assert shown == [("-", "-")] * len(shown)
    everything = flower.http.get("/api/tasks").text + flower.http.get("/api/workers?refresh=1").text
    assert not [secret for secret in (PASSWORD, USER) if secret in everything]


@pytest.mark.parametrize(
    "path",
    [
        "/api/task/revoke/{task}",
        "/api/task/apply/windlass.link",
        "/api/task/async-apply/windlass.link",
        "/api/task/send-task/windlass.link",
        "/api/task/abort/{task}",
        "/api/task/rate-limit/windlass.link",
        "/api/worker/shutdown/{worker}",
        "/api/worker/pool/restart/{worker}",
        "/api/worker/queue/cancel-consumer/{worker}",
    ],
)
def test_it_changes_nothing(flower: Shown, path: str) -> None:
    worker = next(iter(flower.get("/api/workers")))
    target = path.format(task=flower.first_task, worker=worker)
    refused = flower.http.post(target, params={"queue": "bmc", "workername": worker}, json={"args": []})
    assert (refused.status_code, refused.text) == (403, "Read only mode is enabled")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil:5555"])
def test_flower_answers_no_other_name(flower: Shown, host: str) -> None:
    assert flower.http.get("/", headers={"Host": host}).status_code == 403
    assert flower.http.get("/", headers={"Host": "localhost:5555"}).status_code == 200

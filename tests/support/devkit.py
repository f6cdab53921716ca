"""Real apps of the Workflow DevKit against `windlass world`: built once an SDK, served for the session."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.config import environment, load
from app.host.child import end_with
from tests.support.ports import free_port, free_ports
from tests.support.servers import absent, until

ROOT = Path(__file__).parents[2]
SDKS = ROOT / "build" / "sdk"
DEVKIT = ROOT / "tests" / "apps" / "devkit"
BUILD_S, START_S, STORY_S, STOP_S = 300.0, 120.0, 120.0, 60.0


@dataclass(frozen=True, kw_only=True)
class App:
    """An app that runs, and what it is asked to do with its SDK."""

    sdk: str
    port: int
    url: str  # Base URL of Windlass.

    def act(self, act: str, **asked: Any) -> Any:
        """Have the app do something; raises `AssertionError` with what went wrong there."""
        return _post(f"http://127.0.0.1:{self.port}/", {"act": act, **asked})

    def start(self, workflow: str, *args: Any) -> str:
        """Start a run."""
        return str(self.act("start", workflow=workflow, args=args))

    def result(self, run_id: str) -> Any:
        """How a run ended, as the SDK reports it: ``{"value": …}`` or ``{"error": …}``."""
        return self.act("result", runId=run_id)

    def run(self, workflow: str, *args: Any) -> Any:
        """What a run returns."""
        return self.result(self.start(workflow, *args))["value"]

    def resume(self, token: str, payload: Any) -> None:
        """Send something to a hook, as soon as there is one."""
        until(lambda: self.hook(token), STORY_S, f"a hook {token}")
        self.act("resume", token=token, payload=payload)

    def hook(self, token: str) -> Any:
        """The hook that holds a token, while it does."""
        with suppress(urllib.error.HTTPError):
            found = self.ask("GET", f"/hooks/by-token/{token}")
            return found if found["status"] != "disposed" else None

    def hooks(self, run_id: str) -> list[dict[str, Any]]:
        """The hooks of a run."""
        return list(self.ask("GET", f"/hooks?runId={run_id}")["data"])

    def call(self, token: str, text: str) -> int:
        """Call a webhook of the app, as an outside client does that was given its URL; the status."""
        url = f"http://127.0.0.1:{self.port}/.well-known/workflow/v1/webhook/{token}"
        with urllib.request.urlopen(urllib.request.Request(url, text.encode()), timeout=STORY_S) as answer:
            return int(answer.status)

    def events(self, run_id: str) -> list[str]:
        """The types of event in the log of a run."""
        return [one["eventType"] for one in self.ask("GET", f"/runs/{run_id}/events?limit=1000")["data"]]

    def ask(self, method: str, path: str) -> Any:
        """Ask Windlass itself."""
        request = urllib.request.Request(f"{self.url}/api/v1/apps/default{path}", method=method)
        with urllib.request.urlopen(request, timeout=STORY_S) as answer:
            return json.load(answer)


@pytest.fixture(scope="session")
def apps_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`windlass world` on SQLite and a Valkey of its own; its base URL."""
    folder = tmp_path_factory.mktemp("world")
    port = free_port()
    settings = load({}, state_dir=str(folder / "state"), valkey_port=free_port(), apps_port=port)
    argv = (sys.executable, "-P", "-m", "app.cli", "world", "--port", str(port))
    with ExitStack() as ended, (folder / "world.log").open("wb") as log:
        _started(ended, argv, folder, environment(settings), log)
        url = f"http://127.0.0.1:{port}"
        until(lambda: _answers(f"{url}/ready"), START_S, "the apps API is ready")
        yield url


@pytest.fixture(scope="session", params=["5", "4"])
def app(
    request: pytest.FixtureRequest, apps_api: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[App]:
    """The same workflows built with each SDK, as a version of its own."""
    folder = tmp_path_factory.mktemp(f"sdk{request.param}")
    modules = installed(request.param, folder)
    port, node = free_ports(1), str(modules / "node" / "bin" / "node")
    env = {
        **os.environ,
        "WORKFLOW_TARGET_WORLD": str(folder / "world.mjs"),
        "PLT_WORLD_SERVICE_URL": apps_api,
    }
    env |= {"PORT": str(port), "PLT_WORLD_DEPLOYMENT_VERSION": f"sdk{request.param}"}
    built = subprocess.run(
        [node, str(modules / "workflow" / "bin" / "run.js"), "build"],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    with ExitStack() as ended, (folder / "app.log").open("wb") as log:
        _started(ended, (node, "app.mjs"), folder, env, log)
        until(lambda: b"ready" in (folder / "app.log").read_bytes(), START_S, "the app is ready")
        yield App(sdk=request.param, port=port, url=apps_api)


def installed(kind: str, folder: Path) -> Path:
    """A copy of our app in a folder, beside the packages of an SDK that `scripts/sdks` has installed."""
    modules = SDKS / kind / "node_modules"
    if (lock := SDKS / "lock").exists():
        with lock.open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_SH)  # An installation may be under way.
    if not (modules.parent / "installed").exists():
        absent(f"{kind} is not installed: scripts/sdks")
    shutil.copytree(DEVKIT, folder, dirs_exist_ok=True)
    (folder / "node_modules").symlink_to(modules)
    (folder / "package.json").write_text('{"private": true}')
    return modules


def _started(ended: ExitStack, argv: Any, folder: Path, env: Any, log: Any) -> None:
    process = subprocess.Popen(
        argv,
        cwd=folder,
        env={**env, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        preexec_fn=end_with(os.getpid()),
    )
    ended.callback(process.wait, STOP_S)
    ended.callback(process.terminate)


def _answers(url: str) -> bool:
    with suppress(OSError), urllib.request.urlopen(url, timeout=START_S) as answer:
        return bool(answer.status == 200)
    return False


def _post(url: str, body: Any) -> Any:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    try:
        with urllib.request.urlopen(request, timeout=STORY_S) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        raise AssertionError(error.read().decode()) from error

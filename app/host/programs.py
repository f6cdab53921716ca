"""The programs of Windlass as command lines, the same for `windlass up`, containers and systemd."""

import sys
from collections.abc import Sequence

from app.config import LOOPBACK, Settings
from app.domain.apps.words import LARGEST_BODY
from app.domain.batch.words import LARGEST_DOCUMENT

_PYTHON = (sys.executable, "-P", "-m")


def api(settings: Settings) -> tuple[str, ...]:
    """The API; `app.serving` is its HTTP server."""
    return (*_api(settings, settings.port), "--live", str(settings.api_streams if settings.console else 0))


def batches(settings: Settings) -> tuple[str, ...]:
    """The API once more, on the port that clients of batches expect."""
    return _api(settings, settings.batch_port)


def _api(settings: Settings, port: int) -> tuple[str, ...]:
    """The API at a port. The application itself refuses long bodies that are no definitions of batches."""
    return (
        *served("app.api.application:guarded", settings, settings.host, port),
        *("--body-bytes", str(LARGEST_DOCUMENT), "--refusals", "app.api.http.refusals:of_server"),
    )


def apps(settings: Settings) -> tuple[str, ...]:
    """The apps API, which takes longer bodies and has its own shape of refusals."""
    return (
        *served("app.api.apps.application:make", settings, settings.apps_host, settings.apps_port),
        *("--body-bytes", str(LARGEST_BODY), "--refusals", "app.api.apps.errors:of_server"),
    )


def served(factory: str, settings: Settings, host: str, port: int) -> tuple[str, ...]:
    """The HTTP server for the WSGI application that this function makes."""
    return (
        *(*_PYTHON, "app.serving", factory),
        *("--host", host, "--port", str(port)),
        *("--workers", str(settings.api_workers), "--threads", str(settings.api_threads)),
    )


def worker(
    settings: Settings, name: str, queues: Sequence[str], processes: int, pool: str = "prefork"
) -> tuple[str, ...]:
    """One Celery worker main; gossip and mingle are off, they only widen what can fail on reconnect."""
    return (
        *(*celery(), "-A", "tasks", "worker"),
        *("-n", f"{name}@%h", "-Q", ",".join(queues), "-P", pool, "-c", str(processes), "-E"),
        *("--without-gossip", "--without-mingle", "--loglevel", settings.log_level),
    )


def flower(settings: Settings, address: str = "127.0.0.1") -> tuple[str, ...]:
    """Flower, read-only; on loopback it answers loopback names alone. The Celery app has its key prefix."""
    names = ",".join(sorted(LOOPBACK))
    entry = (*_PYTHON, "app.host.flower_entry", names) if address in LOOPBACK else celery()
    return (
        *(*entry, "-A", "tasks", "flower"),
        *(f"--address={address}", f"--port={settings.flower_port}", "--read_only=True"),
    )


def reconciler() -> tuple[str, ...]:
    """The reconciler."""
    return (*windlass(), "reconciler")


def projector() -> tuple[str, ...]:
    """The projector."""
    return (*windlass(), "projector")


def windlass() -> tuple[str, ...]:
    """The `windlass` command of this installation; -P keeps modules of the current folder out."""
    return (*_PYTHON, "app.cli")


def celery() -> tuple[str, ...]:
    """Celery; its own command would import from the current folder first."""
    return (*_PYTHON, "app.host.celery_entry")


def announce() -> tuple[str, ...]:
    """The process that imports the modules of code workflows and announces their workflows."""
    return (*windlass(), "worker", "announce")


def lab_cloud_port(settings: Settings, count: int = 3) -> int:
    """The port of the lab's UpCloud; EC2 has the next one."""
    return settings.lab_port + count + 2


def lab(settings: Settings, password: str, count: int = 3) -> tuple[str, ...]:
    """The lab: simulated BMCs, a management cluster and their control API on loopback."""
    first = str(settings.lab_port + 1)
    return (
        *(*_PYTHON, "app.lab", "--count", str(count)),
        *("--control-port", str(settings.lab_port), "--ipmi-port", first, "--redfish-port", first),
        *("--ledger", str(settings.state / "lab" / "ledger.jsonl")),
        *("--tls", str(settings.state / "lab" / "tls.pem"), "--password", password),
        *("--cluster", "mgmt", "--kube-port", str(settings.lab_port + count + 1)),
        *("--kube-state", str(settings.state / "lab" / "kube")),
        *("--cloud-port", str(lab_cloud_port(settings, count))),
        *("--cloud-state", str(settings.state / "lab" / "clouds")),
        *("--ssh-port", str(lab_cloud_port(settings, count) + 2)),
    )

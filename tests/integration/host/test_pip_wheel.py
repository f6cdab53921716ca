"""Where ensurepip is missing, pip comes from its wheel in the configured index."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "pip-wheel"


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without telling."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def index(tmp_path: Path) -> Iterator[str]:
    """The URL of a package index that serves the folder."""
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()
        thread.join()


def publish(folder: Path, versions: dict[str, str]) -> None:
    """Put files into the index: version to the text whose hash is promised."""
    page = folder / "simple" / "pip"
    page.mkdir(parents=True)
    links = []
    for version, promised in versions.items():
        name = f"pip-{version}-py3-none-any.whl"
        (page / name).write_text(f"wheel {version}")
        digest = hashlib.sha256(promised.encode()).hexdigest()
        links.append(f'<a href="{name}#sha256={digest}">{name}</a>')
    (page / "index.html").write_text("\n".join(links))


def fetch(index: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script against the index."""
    environ = {**os.environ, "PIP_INDEX_URL": index, "PIP_CERT": "", "no_proxy": "127.0.0.1"}
    argv = [sys.executable, str(SCRIPT), str(folder)]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, timeout=300, check=False)


def test_the_newest_release_is_taken(index: str, tmp_path: Path) -> None:
    publish(tmp_path, {"9.0.1": "wheel 9.0.1", "26.3": "wheel 26.3", "26.2": "wheel 26.2"})
    path = Path(fetch(index, tmp_path).stdout.strip())
    assert (path.name, path.read_text()) == ("pip-26.3-py3-none-any.whl", "wheel 26.3")


def test_a_file_that_is_not_the_promised_one_is_refused(index: str, tmp_path: Path) -> None:
    publish(tmp_path, {"26.3": "another"})
    said = fetch(index, tmp_path)
    assert (said.returncode, "is not the one that the index names" in said.stderr) == (1, True)


def test_an_index_without_pip_is_named(index: str, tmp_path: Path) -> None:
    publish(tmp_path, {})
    assert f"{index}/pip/ offers no wheel of pip" in fetch(index, tmp_path).stderr

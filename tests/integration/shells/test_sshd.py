"""Debian's sshd as a judge: what the shell does over SSH holds on a server that is not of the lab."""

import getpass
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest

from app.domain.errors import CloudAuthFailed
from app.providers.shells import Ran
from app.providers.shells.ssh import SshShell
from tests.support.ports import free_port
from tests.support.servers import is_alive, needs, until

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
pytestmark = [
    pytest.mark.timeout(120),
    needs(SSHD, "Debian's openssh-server is not installed"),
]
COUNTS = 'echo once >>"$HOME/ran"; echo $WORD; exit 4\n'
UNTIL_GO = f'while [ ! -f "$HOME/go" ]; do sleep 0.05; done\n{COUNTS}'
CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile {folder}/pid
AuthorizedKeysFile {folder}/allowed
PasswordAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
ForceCommand HOME={folder}/home; export HOME; cd; exec /bin/sh -c "$SSH_ORIGINAL_COMMAND"
"""


@dataclass(frozen=True)
class Host:
    """A server, and the way to it."""

    shell: SshShell
    home: Path
    sshd: "subprocess.Popen[bytes]"

    def ran(self) -> int:
        """How often the script ran."""
        found = self.home / "ran"
        return len(found.read_text().splitlines()) if found.exists() else 0

    def ended(self, token: str) -> Ran:
        """How the script ended, once it has."""
        until(lambda: self.shell.ended(token) is not None, 30)
        found = self.shell.ended(token)
        assert found is not None
        return found


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """An sshd of this user, whose home is a folder of the test."""
    home, port = tmp_path / "home", free_port()
    home.mkdir()
    key = asyncssh.generate_private_key("ssh-ed25519")
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(tmp_path / "host"))
    (tmp_path / "host").chmod(0o600)
    (tmp_path / "allowed").write_text(key.export_public_key().decode())
    (tmp_path / "config").write_text(CONFIG.format(port=port, folder=tmp_path))
    if getpass.getuser() == "root":
        Path("/run/sshd").mkdir(exist_ok=True)
    assert SSHD is not None
    with (tmp_path / "log").open("wb") as log:
        sshd = subprocess.Popen([SSHD, "-D", "-e", "-f", str(tmp_path / "config")], stderr=log)
    known = {"host": "127.0.0.1", "port": port, "user": getpass.getuser()}
    shell = SshShell(key=key.export_private_key().decode(), **known)  # type: ignore[arg-type]
    try:
        until(lambda: "listening" in (tmp_path / "log").read_text(), 20)
        yield Host(shell, home, sshd)
    finally:
        sshd.kill()
        sshd.wait()


def test_a_script_that_looks_tells_its_exit_and_output(host: Host) -> None:
    assert host.shell.run('echo "it is $A"; exit 1', {"A": "a b'c"}, within_s=20) == Ran(1, "it is a b'c")


def test_a_script_runs_once_also_when_the_connection_is_cut(host: Host) -> None:
    host.shell.start("t1.1", UNTIL_GO, {"WORD": "w"})
    assert (host.shell.begun("t1.1"), host.shell.begun("t1.2")) == (True, False)
    host.shell.start("t1.1", COUNTS, {"WORD": "other"})
    assert host.shell.ended("t1.1") is None
    (host.home / "go").touch()
    assert (host.ended("t1.1"), host.ran()) == (Ran(4, "w"), 1)


def test_a_stopped_script_ends_with_all_that_it_began(host: Host) -> None:
    host.shell.start("t1.1", 'sleep 300 & echo $! >"$HOME/child"; wait\n', {})
    until(lambda: (host.home / "child").exists() and (host.home / "child").read_text().strip() != "", 20)
    host.shell.stop("t1.1")
    until(lambda: not is_alive(int((host.home / "child").read_text())), 20)
    assert not host.shell.begun("t1.1")


def test_its_host_key_is_pinned_and_another_key_is_not_let_in(host: Host) -> None:
    seen: list[str] = []
    replace(host.shell, pin=seen.append).run("true", {}, within_s=20)
    assert replace(host.shell, pinned=seen[0]).run("true", {}, within_s=20).code == 0
    with pytest.raises(CloudAuthFailed):
        replace(host.shell, pinned="SHA256:another").run("true", {}, within_s=20)
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    with pytest.raises(CloudAuthFailed):
        replace(host.shell, key=stranger).run("true", {}, within_s=20)

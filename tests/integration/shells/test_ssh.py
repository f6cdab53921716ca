"""Scripts by SSH on the lab's machines: each runs once, whatever becomes of connections."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import asyncssh
import pytest

from app.domain.errors import CloudAuthFailed, CloudUnreachable
from app.lab.clouds import Clouds
from app.providers.compute import Spec, connect
from app.providers.shells import Ran, ssh
from app.providers.shells.ssh import SshShell
from tests.integration.compute.rigs import upcloud_access
from tests.support.ports import free_port
from tests.support.servers import until

COUNTS = 'echo once >>"$HOME/ran"; echo $WORD; exit 4\n'


@dataclass(frozen=True)
class Machine:
    """One server of the lab, and the way to it."""

    shell: SshShell
    home: Path
    lab: Clouds
    id: str

    def ran(self) -> int:
        """How often the script ran."""
        found = self.home / "ran"
        return len(found.read_text().splitlines()) if found.exists() else 0


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A server that has come up."""
    key = asyncssh.generate_private_key("ssh-ed25519")
    public = key.export_public_key().decode().strip()
    port = free_port()
    with Clouds(state=tmp_path, ssh_port=port) as lab:
        spec = Spec(name="web-1", plan="small", zone="here", batch="b", public_keys=(public,))
        made = connect(upcloud_access(lab)).create(spec, "t" * 32)
        shell = SshShell(
            host=made.addresses[0], port=port, user="root", key=key.export_private_key().decode()
        )
        assert lab.ssh is not None
        until(lambda: answers(shell), 20)
        yield Machine(shell, lab.ssh.home(made.id), lab, made.id)


def answers(shell: SshShell) -> bool:
    """Whether the server is up."""
    try:
        return shell.run("true", {}, within_s=5).code == 0
    except CloudUnreachable:
        return False


def ended(machine: Machine, token: str) -> Ran:
    """How the script ended, once it has."""
    until(lambda: machine.shell.ended(token) is not None, 20)
    found = machine.shell.ended(token)
    assert found is not None
    return found


def test_a_script_that_looks_tells_its_exit_and_output(machine: Machine) -> None:
    assert machine.shell.run('echo "it is $A"; exit 1', {"A": "a b'c"}, within_s=5) == Ran(1, "it is a b'c")


def test_a_script_runs_once_under_its_token(machine: Machine) -> None:
    for _ in range(3):
        machine.shell.start("t1", COUNTS, {"WORD": "w"})
    assert ended(machine, "t1") == Ran(4, "w")
    machine.shell.start("t1", COUNTS, {"WORD": "w"})
    assert machine.ran() == 1


def test_a_script_goes_on_without_a_connection_and_is_found_again(machine: Machine) -> None:
    machine.shell.start("t1", f'while [ ! -f "$HOME/go" ]; do sleep 0.05; done\n{COUNTS}', {"WORD": "w"})
    assert machine.shell.ended("t1") is None
    machine.shell.start("t1", COUNTS, {"WORD": "other"})
    (machine.home / "go").touch()
    assert ended(machine, "t1") == Ran(4, "w")
    assert machine.ran() == 1


def test_a_script_that_came_in_part_does_not_run(machine: Machine) -> None:
    command = ssh.BEGIN.format(token="t1", length=len(COUNTS) + 1, env="")
    assert machine.shell.run(f"{command} <<'END'\n{COUNTS}END\n", {}, within_s=5).code != 0
    assert machine.ran() == 0


def test_a_stopped_script_ends_with_all_that_it_began(machine: Machine) -> None:
    machine.shell.start("t1", 'sleep 300 & echo $! >"$HOME/child"; wait\n', {})
    until((machine.home / "child").exists, 20)
    machine.shell.stop("t1")
    child = (machine.home / "child").read_text().strip()
    until(lambda: not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text(), 20)
    assert machine.shell.ended("t1") is None


def test_a_script_that_died_without_a_word_is_begun_anew(machine: Machine) -> None:
    machine.shell.start("t1", "kill -9 0\n", {})
    folder = machine.home / ".windlass" / "t1"
    until(lambda: not Path(f"/proc/{(folder / 'pid').read_text().strip()}").exists(), 20)
    machine.shell.start("t1", COUNTS, {"WORD": "w"})
    assert ended(machine, "t1") == Ran(4, "w")


def test_the_host_key_is_pinned_at_first_sight(machine: Machine) -> None:
    seen: list[str] = []
    replace(machine.shell, pin=seen.append).run("true", {}, within_s=5)
    assert seen[0].startswith("SHA256:")
    assert replace(machine.shell, pinned=seen[0]).run("true", {}, within_s=5).code == 0


def test_a_server_with_another_host_key_is_not_spoken_to(machine: Machine) -> None:
    other = replace(machine.shell, pinned="SHA256:another")
    with pytest.raises(CloudAuthFailed):
        other.start("t1", COUNTS, {})
    assert machine.ran() == 0


def test_another_key_is_not_let_in(machine: Machine) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_private_key().decode()
    with pytest.raises(CloudAuthFailed) as refused:
        replace(machine.shell, key=stranger).run("true", {}, within_s=5)
    assert refused.value.nothing_happened


def test_a_server_that_is_gone_is_unreachable(machine: Machine) -> None:
    found = machine.lab.clouds["upcloud"].one(machine.id)
    assert found is not None
    machine.lab.clouds["upcloud"].turn(found, "gone", 0)
    until(lambda: not answers(machine.shell), 20)
    with pytest.raises(CloudUnreachable) as gone:
        machine.shell.start("t1", COUNTS, {})
    assert gone.value.nothing_happened


def test_openssh_gets_in_and_runs_a_command(machine: Machine, tmp_path: Path) -> None:
    key = tmp_path / "id"
    key.write_text(machine.shell.key)
    key.chmod(0o600)
    known, target = f"UserKnownHostsFile={tmp_path / 'known'}", f"root@{machine.shell.host}"
    options = ("-F", "none", "-oStrictHostKeyChecking=no", f"-o{known}", "-oBatchMode=yes")
    said = subprocess.run(
        ["ssh", *options, "-i", str(key), "-p", str(machine.shell.port), target, "echo hello; exit 7"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (said.returncode, said.stdout) == (7, "hello\n")

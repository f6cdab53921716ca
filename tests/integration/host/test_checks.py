"""What stops a start says so in one sentence."""

import os
import socket
from pathlib import Path

import pytest

from app.host import checks
from app.host.child import CannotStart


def test_a_port_in_use_names_the_port_the_process_and_the_setting() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = rf"Port {port} of 127.0.0.1 is in use by \S+ \(process {os.getpid()}\): .* with PORT\."
        with pytest.raises(CannotStart, match=told):
            checks.port_free("127.0.0.1", port, "PORT")


def test_a_free_port_passes() -> None:
    checks.port_free("127.0.0.1", 0, "PORT")


def test_a_state_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match=r"/file/state cannot be written \(Not a directory\)"):
        checks.state_folder(tmp_path / "file" / "state")


def test_the_state_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    checks.state_folder(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


def test_what_was_open_to_others_is_closed(tmp_path: Path) -> None:
    (tmp_path / "windlass.db").touch(0o644)
    tmp_path.chmod(0o755)
    checks.state_folder(tmp_path)
    modes = [path.stat().st_mode & 0o777 for path in (tmp_path, tmp_path / "windlass.db")]
    assert modes == [0o700, 0o600]


def test_two_starts_on_one_state_folder_are_one_too_many(tmp_path: Path) -> None:
    with (
        checks.only_one(tmp_path),
        pytest.raises(CannotStart, match=rf"already runs .* \(process {os.getpid()}\)"),
        checks.only_one(tmp_path),
    ):
        pass

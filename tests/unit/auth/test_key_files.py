"""Key files: one content for all, however many processes ask first."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from app.auth.keyfiles import key_folder, replace, state_secret
from app.auth.rings import Ring, create_ring_pair, private_ring, public_of, public_ring
from app.config import Settings, SettingsError

RACERS = 8
# Each racer says that it is up, waits for the line on its input, and only then asks for the key.
START = """
import sys
from app.auth.keyfiles import state_secret
from app.auth.rings import private_ring, public_of, public_ring, rotate
from app.config import Settings

settings = Settings(state_dir=sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
"""
FIRST_USE = """
sealing = public_ring(settings)
assert public_of(private_ring(settings)) == sealing
print(state_secret(settings, "cursor.key").hex(), sealing.text.strip(), flush=True)
"""
ROTATION = """
print(*[rotate(settings) for _ in range(5)], flush=True)
"""


def _race(folder: Path, script: str) -> list[str]:
    command = [sys.executable, "-c", START + script, str(folder)]
    racers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(RACERS)
    ]
    try:
        for racer in racers:
            assert racer.stdout is not None and racer.stdout.readline() == "ready\n"
        for racer in racers:
            assert racer.stdin is not None
            racer.stdin.write("go\n")
            racer.stdin.flush()
        return [racer.communicate(timeout=300)[0] for racer in racers]
    finally:
        for racer in racers:
            racer.kill()
            racer.wait()


def test_processes_that_race_for_the_first_key_get_the_same_one(tmp_path: Path) -> None:
    answers = _race(tmp_path, FIRST_USE)
    assert len(answers) == RACERS
    assert len(set(answers)) == 1 and answers[0].strip()
    assert {path.name for path in (tmp_path / "keys").iterdir()} == {
        "cursor.key",
        "sealing.key",
        "sealing.pub",
    }


def test_processes_that_rotate_at_once_lose_no_key(tmp_path: Path) -> None:
    key_ids = {key_id for answer in _race(tmp_path, ROTATION) for key_id in answer.split()}
    settings = Settings(state_dir=str(tmp_path))
    assert len(key_ids) == 5 * RACERS
    assert key_ids < set(private_ring(settings).keys)
    assert public_ring(settings) == public_of(private_ring(settings))


def test_a_state_secret_survives_a_restart_and_differs_by_name(tmp_path: Path) -> None:
    settings = Settings(state_dir=str(tmp_path))
    first = state_secret(settings, "cursor.key")
    assert state_secret(settings, "cursor.key") == first
    assert state_secret(settings, "other.key") != first
    assert len(first) == 32


def test_keys_are_closed_to_other_users(tmp_path: Path) -> None:
    settings = Settings(state_dir=str(tmp_path))
    state_secret(settings, "cursor.key")
    _, private = create_ring_pair(key_folder(settings))
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (key_folder(settings), private)]
    assert modes == [0o700, 0o600]
    assert stat.S_IMODE((key_folder(settings) / "cursor.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["", "../windlass.db", "a/b", ".hidden"])
def test_a_key_file_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not the name"):
        state_secret(Settings(state_dir=str(tmp_path)), name)


def test_a_damaged_key_file_is_named_and_not_used(tmp_path: Path) -> None:
    settings = Settings(state_dir=str(tmp_path))
    (key_folder(settings) / "cursor.key").write_bytes(b"short")
    with pytest.raises(SettingsError, match=r"cursor\.key"):
        state_secret(settings, "cursor.key")


def test_replacing_a_file_leaves_no_draft_behind(tmp_path: Path) -> None:
    replace(tmp_path / "ring", b"old")
    replace(tmp_path / "ring", b"new")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"new"]


def test_a_public_ring_alone_gets_no_private_ring_that_does_not_fit(tmp_path: Path) -> None:
    public, private = create_ring_pair(tmp_path)
    elsewhere = Ring.parse(private.read_text())
    private.unlink()
    create_ring_pair(tmp_path)
    assert not private.exists()
    assert Ring.parse(public.read_text()) == public_of(elsewhere)

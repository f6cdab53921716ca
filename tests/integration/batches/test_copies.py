"""Copies of checkpoints: the same as the database in both backends, and how one that is not is noticed."""

from pathlib import Path
from typing import Any

import pytest

from app.providers.mirror import surreal
from app.services import batches
from tests.integration.batches.rig import Rig, servers
from tests.support.servers import needs

JUDGES = Path("build/judges/bin/python")
HAS_SURREAL = any(Path("build/judges").glob("lib/python*/site-packages/surrealdb"))
BACKENDS = [
    "filesystem",
    pytest.param(
        "surrealdb",
        marks=needs(HAS_SURREAL, "surrealdb is not installed: scripts/judges"),
    ),
]


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A storage backend; SurrealDB's client lives beside the tests' own packages."""
    monkeypatch.setattr(surreal, "PYTHON", str(JUDGES.absolute()))
    return str(request.param)


def finished(rig: Rig, backend: str) -> str:
    """A batch of two operations with a checkpoint after each."""
    chain = [servers("a"), servers("b", needs=["a"])]
    strategy = {"checkpoint_interval": 1}
    return rig.run(*chain, storage_backend=backend, rollback_strategy=strategy)


def states(rig: Rig, batch: str) -> dict[str, Any]:
    """What the comparison finds for each copy."""
    return {one["name"]: one["copy"] for one in batches.restore_check(rig.ctx, batch)}


def test_every_copy_is_what_the_database_says(rig: Rig, backend: str) -> None:
    batch = finished(rig, backend)
    found = states(rig, batch)
    assert {"batch", "cp-0001", "cp-0002"} <= set(found)
    assert set(found.values()) == {"same"}
    points = batches.detail(rig.ctx, batch)["checkpoints"]
    assert all(point["mirrored_at"] and not point["mirror_error"] for point in points)


def test_a_copy_that_was_changed_or_removed_by_hand_is_reported(rig: Rig) -> None:
    batch = finished(rig, "filesystem")
    folder = rig.folder / "batches" / batch
    (folder / "cp-0001.json").write_text('{"batch": "another"}')
    (folder / "cp-0002.json").unlink()
    (folder / "batch.json").write_text("{torn")
    found = states(rig, batch)
    wanted = {"batch": "differs", "cp-0001": "differs", "cp-0002": "missing"}
    assert {name: found[name] for name in wanted} == wanted


def test_a_copy_that_cannot_be_written_fails_no_batch_and_is_reported(rig: Rig) -> None:
    (rig.folder / "batches").write_text("in the way")
    batch = finished(rig, "filesystem")
    assert rig.driver.status(batch) == "completed"
    errors = [point["mirror_error"] for point in batches.detail(rig.ctx, batch)["checkpoints"]]
    assert errors and all("NotADirectoryError" in error or "FileExistsError" in error for error in errors)


def test_a_failure_of_surrealdb_is_reported_in_its_words(
    rig: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in = tmp_path / "python"
    stand_in.write_text("#!/bin/sh\necho 'Error: the disk is full' >&2; exit 1\n")
    stand_in.chmod(0o755)
    monkeypatch.setattr(surreal, "PYTHON", str(stand_in))
    batch = finished(rig, "surrealdb")
    assert rig.driver.status(batch) == "completed"
    errors = {point["mirror_error"] for point in batches.detail(rig.ctx, batch)["checkpoints"]}
    assert errors == {"OSError: SurrealDB: Error: the disk is full"}

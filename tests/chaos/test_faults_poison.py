"""Steps that are poison end in a failed run that was undone, whatever they raise or return."""

from pathlib import Path

import pytest

import tests.chaos.faults.poison
from app.record.session import Database
from tests.chaos.ledger import LEDGER, VARIABLE, Ledger
from tests.conftest import Backend
from tests.support.driver import Driver

HARMLESS = sorted(how for how, (deadly, _) in tests.chaos.faults.poison.HOW.items() if not deadly)


@pytest.mark.parametrize("how", HARMLESS)
def test_a_run_with_poison_fails_and_is_undone(
    backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / LEDGER))
    driver = Driver(Database(backend.database_url))
    run_id = driver.start("chaos.venom", {"how": how})
    assert driver.finish(run_id) == "failed"
    undone = [one.step for one in Ledger(tmp_path / LEDGER).read() if one.effect == "undid"]
    assert undone == ["venom", "two", "one"]
    driver.db.dispose()

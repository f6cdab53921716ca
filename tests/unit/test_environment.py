"""A child process reads the settings of its parent."""

from pathlib import Path

import pytest

from app.config import Settings, environment, load
from app.providers import taskservs


def test_a_child_reads_the_very_same_settings(tmp_path: Path) -> None:
    settings = Settings(
        state_dir=str(tmp_path), port=1234, webhook_allow_http=True, redis_url="redis://there"
    )
    assert load(environment(settings)) == settings


def test_a_secret_from_a_file_stays_out_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "key").write_text("secret")
    monkeypatch.setenv("WINDLASS_CURSOR_KEY_FILE", str(tmp_path / "key"))
    settings = load()
    assert (settings.cursor_key, "secret" in environment(settings).values()) == ("secret", False)


def test_the_taskservs_that_are_shipped_are_found_from_any_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)

    assert "containerd" in taskservs.names(Settings().taskservs)
    assert Settings(taskserv_dir="mine").taskservs == tmp_path / "mine"


def test_what_is_given_beside_the_settings_is_there() -> None:
    assert environment(Settings(), REMAP_SIGTERM="SIGQUIT")["REMAP_SIGTERM"] == "SIGQUIT"

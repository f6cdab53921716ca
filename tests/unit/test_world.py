"""Where `windlass world` listens: as its settings say, never publicly while no token is asked for."""

from pathlib import Path

import pytest

from app.config import SettingsError, load, load_world
from app.host import world


def test_host_and_port_are_those_of_the_door() -> None:
    settings = load_world({"HOST": "192.0.2.1", "PORT": "9000"})

    assert (settings.apps_host, settings.apps_port, settings.port) == ("192.0.2.1", 9000, 8080)


def test_without_tokens_it_listens_to_this_machine_alone(tmp_path: Path) -> None:
    settings = load_world({"PLT_WORLD_SA_PATH": str(tmp_path)})

    assert (settings.apps_host, settings.apps_port, world.exposed(settings)) == ("127.0.0.1", 3042, "")


def test_with_tokens_it_listens_to_everybody(tmp_path: Path) -> None:
    (tmp_path / "token").touch()
    settings = load_world({"PLT_WORLD_SA_PATH": str(tmp_path)})

    assert (settings.apps_mode, settings.apps_host) == ("kubernetes", "0.0.0.0")
    assert world.exposed(settings) == ""


@pytest.mark.parametrize("name", ["ECS_CONTAINER_METADATA_URI", "ECS_CONTAINER_METADATA_URI_V4"])
def test_an_address_that_is_asked_for_is_obeyed_with_a_warning(name: str, tmp_path: Path) -> None:
    settings = load_world(
        {name: "http://169.254.170.2", "HOST": "0.0.0.0", "PLT_WORLD_SA_PATH": str(tmp_path)}
    )

    assert (settings.apps_mode, settings.apps_host) == ("ecs", "0.0.0.0")
    assert world.exposed(settings).startswith("Warning: whoever reaches 0.0.0.0 port 3042")


def test_an_unknown_identity_is_named() -> None:
    with pytest.raises(SettingsError, match=r"WINDLASS_APPS_IDENTITY: 'key' is none of none, keys"):
        load({"WINDLASS_APPS_IDENTITY": "key"})


def test_messages_are_delivered_unless_told(tmp_path: Path) -> None:
    def names(**environ: str) -> list[str]:
        settings = load_world({"WINDLASS_STATE_DIR": str(tmp_path), "REDIS_URL": "redis://r", **environ})
        return [child.name for child in world.children(settings)]

    assert (names(), names(WF_ENABLE_POLLER="false")) == (["apps", "worker"], ["apps", "reconciler"])

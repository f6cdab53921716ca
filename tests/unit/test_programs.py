"""The command lines of the parts, and the addresses that go with them."""

from pathlib import Path

import pytest

from app.config import Settings
from app.host import programs, up


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080"),
        ("0.0.0.0", "http://127.0.0.1:8080"),
        ("::1", "http://[::1]:8080"),
        ("[::1]", "http://[::1]:8080"),
        ("::", "http://[::1]:8080"),
    ],
)
def test_the_api_binds_its_host_and_is_reached_locally(host: str, local: str) -> None:
    settings = Settings(host=host)
    argv = programs.api(settings)
    assert (argv[argv.index("--host") + 1], up.local_url(settings)) == (host, local)


def test_an_external_redis_leaves_the_embedded_one_out() -> None:
    settings = Settings(redis_url="redis://there:6379/0")
    names = {setting for _, _, setting in up.ports(settings, up.UpOptions())}
    assert names == {"PORT", "WINDLASS_APPS_PORT", "WINDLASS_FLOWER_PORT"}


def test_the_lab_needs_a_port_for_each_machine_its_cluster_its_clouds_and_its_control() -> None:
    wanted = [
        port for _, port, name in up.ports(Settings(), up.UpOptions(lab=True)) if name == "WINDLASS_LAB_PORT"
    ]
    assert wanted == [9400, 9401, 9402, 9403, 9404, 9405, 9406]


def test_what_others_need_starts_before_them(tmp_path: Path) -> None:
    stages = {
        child.name: child.stage
        for child in up.children(Settings(state_dir=str(tmp_path)), up.UpOptions(lab=True))
    }
    assert stages == {"valkey": 0, "lab": 0, "api": 1, "apps": 1, "worker": 2, "projector": 2, "flower": 2}


def test_what_authors_wrote_has_a_worker_host_of_its_own(tmp_path: Path) -> None:
    settings = Settings(state_dir=str(tmp_path), imports="my_flows", app_dir=str(tmp_path))
    hosts = {child.name: child.env or {} for child in up.children(settings, up.UpOptions())}
    assert hosts["workflows"]["WINDLASS_IMPORTS"] == "my_flows"
    assert not hosts["worker"].get("WINDLASS_IMPORTS")

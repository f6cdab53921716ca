"""The import contracts in setup.cfg speak of every part that there is."""

import re
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def layered() -> set[str]:
    """Every module that stands in a layer."""
    config = ConfigParser()
    config.read(ROOT / "setup.cfg")
    return set(re.findall(r"[\w.]+", config["importlinter:contract:downward"]["layers"]))


def parts(package: str) -> set[str]:
    """The packages and modules right below a package, but not its title page."""
    found = (ROOT / package).iterdir()
    names = {path.stem for path in found if path.suffix == ".py" or (path / "__init__.py").exists()}
    return {f"{package}.{name}" for name in names - {"__init__"}}


@pytest.mark.parametrize("package", ["app", "tasks"])
def test_every_part_stands_in_a_layer(layered: set[str], package: str) -> None:
    assert parts(package) <= layered

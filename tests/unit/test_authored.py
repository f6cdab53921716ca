"""Modules of authors: what is imported, and what is refused in one sentence before it can do harm."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.config import Settings
from app.services import authored
from app.services.authored import HOME, CannotImport, load
from windlass import Misuse, Worker, worker
from windlass.workflow import _DEFINED

FLOWS = """
from windlass import workflow

@workflow("first")
def first(ctx): ...

@workflow("second", version="2")
def second(ctx): ...
"""
TROUBLES = {
    "import nothere": "cannot be imported: ModuleNotFoundError: No module named 'nothere'",
    "def (": "cannot be imported: SyntaxError",
    "raise SystemExit(3)": "cannot be imported: SystemExit: 3",
    "x = 1": "defines no workflow",
    "from windlass import Worker; Worker('a').start()": "under `if __name__",
    "from windlass import workflow\n@workflow('no spaces')\ndef f(ctx): ...": "name has 1 to 100",
}


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is imported and defined here is forgotten."""
    modules, defined = set(sys.modules), dict(_DEFINED)
    monkeypatch.setattr(sys, "path", list(sys.path))
    _DEFINED.clear()
    yield
    _DEFINED.clear()
    _DEFINED.update(defined)
    for name in set(sys.modules) - modules:
        del sys.modules[name]


def settings_of(folder: Path, imports: str, workflow: str = "") -> Settings:
    """Settings that name modules of a folder."""
    return Settings(imports=imports, app_dir=str(folder), workflow=workflow)


def test_every_workflow_of_the_modules_is_served(tmp_path: Path) -> None:
    (tmp_path / "my_flows.py").write_text(FLOWS)
    found = load(settings_of(tmp_path, "my_flows"))
    assert [one.queue for one in found] == ["wf.first", "wf.second@2"]


def test_one_of_them_may_be_served_alone(tmp_path: Path) -> None:
    (tmp_path / "my_flows.py").write_text(FLOWS)
    assert [one.name for one in load(settings_of(tmp_path, "my_flows", "second"))] == ["second"]


def test_an_unknown_one_is_refused_with_those_that_there_are(tmp_path: Path) -> None:
    (tmp_path / "my_flows.py").write_text(FLOWS)
    with pytest.raises(CannotImport, match=r"No workflow 'third' .* first, second"):
        load(settings_of(tmp_path, "my_flows", "third"))


def test_a_package_that_gathers_workflows_of_its_modules_counts(tmp_path: Path) -> None:
    (tmp_path / "my_pkg").mkdir()
    (tmp_path / "my_pkg" / "flows.py").write_text(FLOWS)
    (tmp_path / "my_pkg" / "__init__.py").write_text("from my_pkg.flows import first")
    assert len(load(settings_of(tmp_path, "my_pkg.flows, my_pkg"))) == 2


@pytest.mark.parametrize(("source", "sentence"), TROUBLES.items())
def test_what_cannot_be_imported_is_told_in_one_sentence(tmp_path: Path, source: str, sentence: str) -> None:
    (tmp_path / "trouble.py").write_text(source)
    with pytest.raises(CannotImport) as caught:
        load(settings_of(tmp_path, "trouble"))
    assert caught.value.message.startswith("trouble ")
    assert (sentence in caught.value.message, "\n" in caught.value.message) == (True, False)


@pytest.mark.parametrize("name", authored.OURS)
@pytest.mark.parametrize("form", ["{}.py", "{}/__init__.py", "{}/inner.py"])
def test_what_has_our_names_may_lie_beside_workflows(tmp_path: Path, name: str, form: str) -> None:
    there = tmp_path / form.format(name)
    there.parent.mkdir(exist_ok=True)
    there.write_text("raise AssertionError")
    (tmp_path / "my_flows.py").write_text(FLOWS)
    assert load(settings_of(tmp_path, "my_flows"))


@pytest.mark.parametrize("name", [*authored.OURS, "app.flows"])
def test_nothing_of_an_author_stands_in_for_windlass(tmp_path: Path, name: str) -> None:
    with pytest.raises(CannotImport, match=rf"{name} has the name of a module of Windlass"):
        load(settings_of(tmp_path, name))


def test_an_author_who_means_a_module_that_ours_hides_is_told(tmp_path: Path) -> None:
    (tmp_path / "tasks.py").touch()
    (tmp_path / "my_flows.py").write_text("from tasks import mine")
    with pytest.raises(CannotImport, match=r"tasks\.py has the name of a module of Windlass"):
        load(settings_of(tmp_path, "my_flows"))


def test_a_folder_of_data_with_such_a_name_is_nobodys_business(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "my_flows.py").write_text(FLOWS)
    assert load(settings_of(tmp_path, "my_flows"))


def test_the_folder_comes_after_everything_else(tmp_path: Path) -> None:
    (tmp_path / "json.py").write_text("raise AssertionError")
    (tmp_path / "my_flows.py").write_text(FLOWS)
    load(settings_of(tmp_path, "my_flows"))
    assert sys.path[-1] == str(tmp_path)


def test_the_checkout_itself_is_no_stranger() -> None:
    authored.check(Settings(imports="my_flows", app_dir=str(HOME)))


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CannotImport, match=r"There is no folder .*nowhere"):
        load(settings_of(tmp_path / "nowhere", "my_flows"))


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What this process would become."""
    seen: list[list[str]] = []
    monkeypatch.setattr("os.execv", lambda program, argv: seen.append([program, *argv[1:]]))
    return seen


def start(made: Worker, name: str | None = None) -> None:
    """Start it; where nothing is executed, it comes back."""
    made.start(name)


def test_a_program_becomes_the_host_of_its_modules(become: list[list[str]]) -> None:
    start(Worker("a", "b", app_dir="there", processes=2, name="x"), "only")
    said = " ".join(become[0])
    assert said.startswith(f"{sys.executable} -P -m app.cli worker --import a --import b --app-dir there")
    assert said.endswith("--workflow only --processes 2 --name x")


def test_without_modules_it_is_those_that_defined_something(become: list[list[str]], tmp_path: Path) -> None:
    (tmp_path / "my_flows.py").write_text(FLOWS)
    load(settings_of(tmp_path, "my_flows"))
    start(Worker())
    assert become[0][become[0].index("--import") + 1] == "my_flows"


def test_without_any_definition_it_says_what_to_do(become: list[list[str]]) -> None:
    with pytest.raises(Misuse, match="No workflow is defined yet"):
        start(Worker())
    assert (become, worker.importing) == ([], False)

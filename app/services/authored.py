"""The modules of authors of code workflows: found, imported, and refused where they would be in the way.

Nothing of an author's may stand where Python looks for Windlass: its folder comes after ours on the import
path, and a module there that has one of our names is refused before anything is imported.
"""

import importlib
import sys
from pathlib import Path

import windlass
from app.config import Settings
from app.domain.errors import WindlassError
from windlass import worker
from windlass.workflow import Definition, definitions

OURS = ("app", "chains", "migrations", "tasks", "windlass")
HOME = Path(windlass.__file__).parents[1]


class CannotImport(WindlassError):
    """The modules cannot be imported as they are."""

    code = "CANNOT_IMPORT"


def load(settings: Settings) -> tuple[Definition, ...]:
    """Import the modules of the settings; the workflows to serve. Raises `CannotImport` with one sentence."""
    check(settings)
    folder = _folder(settings)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    for name in names(settings.imports):
        _import(name)
    found = sorted(definitions().values(), key=lambda one: (one.name, one.version))
    chosen = tuple(one for one in found if settings.workflow in ("", one.name))
    if not chosen:
        there = ", ".join(sorted({one.name for one in found}))
        raise CannotImport(
            f"no workflow {settings.workflow!r} is defined in {settings.imports}: there is {there}"
        )
    return chosen


def check(settings: Settings) -> None:
    """Raise `CannotImport` for a folder that is not there, or that has a module with one of our names."""
    for place in {_folder(settings), Path.cwd()}:  # Python itself looks where it was started.
        _check_folder(place)


def names(imports: str) -> tuple[str, ...]:
    """The modules that a setting names."""
    return tuple(name.strip() for name in imports.split(",") if name.strip())


def _folder(settings: Settings) -> Path:
    return Path(settings.app_dir or ".").resolve()


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise CannotImport(
            f"there is no folder {folder}: name the one that holds your modules with --app-dir"
        )
    for name in OURS if folder != HOME else ():
        found = next((path for path in (folder / f"{name}.py", folder / name) if _is_module(path)), None)
        if found is not None:
            raise CannotImport(f"{found} has the name of a module of Windlass itself: give it another name")


def _is_module(path: Path) -> bool:
    return path.is_file() or any(path.glob("*.py"))


def _import(name: str) -> None:
    before = len(definitions())
    worker.importing = True  # Whoever starts a worker from a module that a worker imports is told not to.
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:  # The author's code may raise anything.
        said = str(error).strip().splitlines()
        why = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
        raise CannotImport(f"{name} cannot be imported: {why}") from error
    finally:
        worker.importing = False
    own = [one for one in definitions().values() if _is_of(one, name)]
    if len(definitions()) == before and not own:
        raise CannotImport(f"{name} defines no workflow: put @windlass.workflow(…) above a function in it")


def _is_of(one: Definition, name: str) -> bool:
    return one.fn.__module__ == name or one in vars(sys.modules[name]).values()

"""Imports the modules of code workflows, and refuses those with the name of a package of Windlass.

The folder of the modules comes last on the import path, so that nothing in it can replace Windlass's own
packages. So a module there with the name of one of them cannot be imported, and naming it is refused. It may
exist beside the others.
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
    for name in OURS:  # An installation that is a checkout is looked for after every folder of the path.
        importlib.import_module(name)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    for name in names(settings.imports):
        _import(name, folder)
    found = sorted(definitions().values(), key=lambda one: (one.name, one.version))
    chosen = tuple(one for one in found if settings.workflow in ("", one.name))
    if not chosen:
        there = ", ".join(sorted({one.name for one in found}))
        raise CannotImport(
            f"No workflow {settings.workflow!r} is defined in {settings.imports}: there is {there}"
        )
    return chosen


def check(settings: Settings) -> None:
    """Raise `CannotImport` for a folder that is not there, or for a module with one of our names."""
    folder = _folder(settings)
    if not folder.is_dir():
        raise CannotImport(
            f"There is no folder {folder}: name the one that holds your modules with --app-dir"
        )
    for name in names(settings.imports):
        if name.partition(".")[0] in OURS:
            raise CannotImport(f"{name} has the name of a module of Windlass itself: give it another name")


def names(imports: str) -> tuple[str, ...]:
    """The modules that a setting names."""
    return tuple(name.strip() for name in imports.split(",") if name.strip())


def _folder(settings: Settings) -> Path:
    return Path(settings.app_dir or ".").resolve()


def _hidden(folder: Path, error: BaseException) -> str:
    """What to know of a module there that has one of our names, when one of ours was found in its stead."""
    asked = (getattr(error, "name", None) or "").partition(".")[0]
    places = (folder / f"{asked}.py", folder / asked)
    found = next(filter(_is_module, places), None) if asked in OURS and folder != HOME else None
    return f" ({found} has the name of a module of Windlass itself: give it another name)" if found else ""


def _is_module(path: Path) -> bool:
    return path.is_file() or any(path.glob("*.py"))


def _import(name: str, folder: Path) -> None:
    before = len(definitions())
    worker.importing = True  # Whoever starts a worker from a module that a worker imports is told not to.
    try:
        importlib.import_module(name)
    except (Exception, SystemExit) as error:  # The author's code may raise anything.
        said = str(error).strip().splitlines()
        why = f"{type(error).__name__}: {said[0]}" if said else type(error).__name__
        raise CannotImport(f"{name} cannot be imported: {why}{_hidden(folder, error)}") from error
    finally:
        worker.importing = False
    own = [one for one in definitions().values() if _is_of(one, name)]
    if len(definitions()) == before and not own:
        raise CannotImport(f"{name} defines no workflow: put @windlass.workflow(…) above a function in it")


def _is_of(one: Definition, name: str) -> bool:
    return one.fn.__module__ == name or one in vars(sys.modules[name]).values()

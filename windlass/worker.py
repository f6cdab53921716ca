"""A worker host for code workflows, started by a program instead of by `windlass worker`."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from windlass.failures import Misuse
from windlass.workflow import definitions

importing = False  # Whether a worker imports an author's module just now.


class Worker:
    """Serves code workflows: needs the database and Redis that the environment names, not the API.

        if __name__ == "__main__":
            Worker("my_workflows").start()

    `imports` are the modules that define the workflows; without any it is those that have defined some so
    far. `app_dir` is the folder that holds them, `processes` how many steps run at a time, and `name` tells
    two worker hosts on one machine apart.
    """

    def __init__(
        self, *imports: str, app_dir: str | Path = ".", processes: int | None = None, name: str | None = None
    ) -> None:
        self._imports, self._app_dir = imports, Path(app_dir)
        self._processes, self._name = processes, name

    def start(self, name: str | None = None) -> NoReturn:
        """Become the worker host, of one workflow or of all; this program does not come back from it."""
        if importing:
            raise Misuse(
                "A worker imports this module, which starts another one: "
                'call Worker.start() under `if __name__ == "__main__":`'
            )
        argv = self._argv(name)
        sys.stdout.flush()
        sys.stderr.flush()
        os.execv(argv[0], argv)

    def _argv(self, workflow: str | None) -> list[str]:
        folder, imports = self._app_dir, self._imports
        if not imports:
            folder, imports = _defining(folder)
        options = {"--workflow": workflow, "--processes": self._processes, "--name": self._name}
        given = [word for name, value in options.items() if value is not None for word in (name, str(value))]
        modules = [word for module in imports for word in ("--import", module)]
        # -P: nothing of the folder that this was started in may stand in for a module of Windlass.
        return [
            *(sys.executable, "-P", "-m", "app.cli", "worker"),
            *(*modules, "--app-dir", str(folder), *given),
        ]


def _defining(folder: Path) -> tuple[Path, tuple[str, ...]]:
    """The modules that have defined workflows, and the folder of the program if it is one of them."""
    modules = sorted({each.fn.__module__ for each in definitions().values()})
    if not modules:
        raise Misuse(
            'No workflow is defined yet: import the modules first, or name them: Worker("my_workflows")'
        )
    if "__main__" not in modules:
        return folder, tuple(modules)
    main = sys.modules["__main__"]
    others = tuple(module for module in modules if module != "__main__")
    if main.__spec__ is not None:
        return folder, (main.__spec__.name.removesuffix(".__main__"), *others)
    program = Path(str(main.__file__)).resolve()
    return program.parent, (program.stem, *others)

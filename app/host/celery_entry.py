"""`celery` as we start it: ``python -P -m app.host.celery_entry …``.

Celery puts the folder that it is started in before everything else on the import path, unless it is there
already. So it comes last here: a folder of an operator or an author may hold an ``app.py`` or a ``tasks``.

A worker is started without Celery's other commands: Flower and a shell are among them, and take long to load.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from celery.__main__ import main

# Before the folder is there: an installation that is a checkout is looked for after every folder of the path.
import chains
import migrations
import tasks
import windlass
from app import collector

OURS = (chains, migrations, tasks, windlass)
WORKER = ["-A", "tasks", "worker"]


def worker(options: Sequence[str]) -> NoReturn:
    """``celery -A tasks worker`` with these options."""
    from celery.app.utils import find_app
    from celery.bin.base import CLIContext
    from celery.bin.worker import worker as command

    found = CLIContext(app=find_app("tasks"), no_color=False, workdir=None)
    command.main(list(options), prog_name="celery worker", obj=found)
    raise AssertionError("click ends the process")


if __name__ == "__main__":
    collector.look_seldom()
    sys.path.append(str(Path.cwd()))
    if sys.argv[1:4] == WORKER:
        worker(sys.argv[4:])
    main()

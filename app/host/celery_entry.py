"""`celery` as we start it: ``python -P -m app.host.celery_entry …``.

Celery puts the folder that it is started in before everything else on the import path, unless it is there
already. So it comes last here: a folder of an operator or an author may hold an ``app.py`` or a ``tasks``.
"""

import sys
from pathlib import Path

from celery.__main__ import main

# Before the folder is there: an installation that is a checkout is looked for after every folder of the path.
import chains
import migrations
import tasks
import windlass
from app import collector

OURS = (chains, migrations, tasks, windlass)

if __name__ == "__main__":
    collector.look_seldom()
    sys.path.append(str(Path.cwd()))
    main()

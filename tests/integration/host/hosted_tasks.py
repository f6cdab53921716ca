"""A Celery app in the place of `tasks`, to be watched by the tests of the worker host."""

import os
import time
from pathlib import Path

from celery import Celery

app = Celery("tasks", broker=os.environ["REDIS_URL"])
app.conf.update(worker_soft_shutdown_timeout=10, task_ignore_result=True, worker_prefetch_multiplier=1)


@app.task(name="work")
def work(folder: str, seconds: float) -> None:
    """Note the process, work for a while, note the end."""
    (Path(folder) / "begun").write_text(str(os.getpid()))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        pass
    (Path(folder) / "ended").touch()

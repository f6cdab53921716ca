"""A supervisor as a process of its own: `python program.py LOGS JSON`, the JSON being a list of children."""

import json
import sys
from pathlib import Path

from app.host.child import Child
from app.host.supervise import Supervisor

if __name__ == "__main__":
    children = [Child(**{**given, "argv": tuple(given["argv"])}) for given in json.loads(sys.argv[2])]
    Supervisor(children, logs=Path(sys.argv[1])).run()

"""A worker child as its caller sees it: alarms that break in anywhere, and a fork after first use.

    python -m tests.integration.bmc.interrupted VERB PORT

prints one line of JSON. It runs as a process of its own, because pyghmi's state is the process's.
"""

import json
import os
import sys
import time
from typing import Any

from app.domain.errors import BmcError, StepTimedOut
from app.providers.bmc import Target
from app.providers.bmc.ipmi import IpmiBMC
from app.worker.time_limit import TimeLimit


def driver(port: int) -> IpmiBMC:
    target = Target(protocol="ipmi", host="127.0.0.1", port=port, username="admin", password="secret")
    return IpmiBMC(target, patience=60.0)


def storm(port: int) -> dict[str, Any]:
    """Break in after 0.1, 0.2, … ms of a call; each time the next call must be right."""
    broken, right, slowest = 0, 0, 0.0
    for tenths in range(1, 151):
        bmc = driver(port)
        try:
            with TimeLimit(tenths / 10, "power"):
                bmc.power()
        except StepTimedOut:
            broken += 1
        began = time.monotonic()
        right += bmc.power() == "off"
        slowest = max(slowest, time.monotonic() - began)
    return {"broken": broken, "right": right, "slowest": slowest}


def hang(port: int) -> dict[str, Any]:
    """Break into a login that nobody answers, wake the controller, and ask again."""
    try:
        with TimeLimit(500, "power"):
            driver(port).power()
    except StepTimedOut:
        print("interrupted", flush=True)
    sys.stdin.readline()
    return {"power": driver(port).power()}


def fork(port: int) -> dict[str, Any]:
    """Use the driver, fork, and use it in the child and in the parent."""
    before = driver(port).power()
    child = os.fork()
    if not child:
        try:
            with TimeLimit(8_000, "power"):
                os._exit(0 if driver(port).power() == before else 1)
        except (BmcError, StepTimedOut):
            os._exit(2)
    _, status = os.waitpid(child, 0)
    return {"child": os.waitstatus_to_exitcode(status), "parent": driver(port).power() == before}


if __name__ == "__main__":
    print(json.dumps({"storm": storm, "hang": hang, "fork": fork}[sys.argv[1]](int(sys.argv[2]))))

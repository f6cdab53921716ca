"""A large site: a thousand clusters and ten thousand machines, and two hundred events a second."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from kubernetes import client, watch

from app.lab.kube import Kube
from tests.integration.kube_double.places import MACHINES
from tests.support.kube import Management

CLUSTERS, VMS, RATE = 1_000, 10_000, 200
MOST_MB = 300

# A process of its own: what it holds is the client and the list, and nothing of the tests before it. VmHWM is
# its peak; ru_maxrss would begin with that of the process it was started from.
LISTING = """
import re, sys
from pathlib import Path
from kubernetes import client, config

config.load_kube_config(sys.argv[1])
objects, names, token = client.CustomObjectsApi(), set(), None
while token != "":
    page = objects.list_namespaced_custom_object(*sys.argv[2:], limit=500, _continue=token)
    names |= {one["metadata"]["name"] for one in page["items"]}
    token = page["metadata"].get("continue") or ""
print(len(names), re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


@pytest.fixture
def large(control: httpx.Client) -> None:
    control.post("/load", json={"clusters": CLUSTERS, "vms": VMS}, timeout=300).raise_for_status()


@pytest.mark.usefixtures("large")
def test_all_are_listed_in_pages_and_never_held_twice(management: Management, tmp_path: Path) -> None:
    command = [sys.executable, "-c", LISTING, str(management.write(tmp_path)), *MACHINES]
    told = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    listed, peak_kb = map(int, told.split())
    assert listed == VMS
    assert peak_kb < MOST_MB * 1024


@pytest.mark.usefixtures("large")
def test_every_event_of_a_busy_site_reaches_a_watch(
    kube: Kube, control: httpx.Client, api: client.ApiClient
) -> None:
    version = str(kube.server().store.version)
    control.post("/churn", json={"rate": RATE, "seconds": 3}).raise_for_status()
    seen, late, enough = 0, 0.0, RATE * 3 * 0.8 * VMS / (VMS + CLUSTERS)
    call: Any = client.CustomObjectsApi(api).list_namespaced_custom_object
    stream: Any = watch.Watch().stream  # type: ignore[no-untyped-call]
    for event in stream(call, *MACHINES, resource_version=version, timeout_seconds=60):
        told = event["object"]["status"].get("heartbeatMs")
        if told:
            seen += 1
            late = max(late, time.time() * 1000 - told)
        if seen > enough:
            break
    assert seen > enough
    assert late < 30_000  # Milliseconds; on a machine that does nothing else it is half a second.

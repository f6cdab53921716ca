"""A large site: a thousand clusters and ten thousand machines, and two hundred events a second."""

import os
import time
from typing import Any

import httpx
import psutil
import pytest
from kubernetes import client, watch

from app.lab.kube import Kube
from tests.integration.kube_double.places import MACHINES

CLUSTERS, VMS, RATE = 1_000, 10_000, 200
MOST_MB = 300


@pytest.fixture
def large(control: httpx.Client) -> None:
    control.post("/load", json={"clusters": CLUSTERS, "vms": VMS}, timeout=60).raise_for_status()


@pytest.mark.usefixtures("large")
def test_all_are_listed_in_pages_in_less_than_ten_seconds(api: client.ApiClient) -> None:
    objects: Any = client.CustomObjectsApi(api)
    token, names, began = None, set(), time.monotonic()
    while True:
        page = objects.list_namespaced_custom_object(*MACHINES, limit=500, _continue=token)
        names |= {one["metadata"]["name"] for one in page["items"]}
        token = page["metadata"].get("continue")
        if not token:
            break
    assert len(names) == VMS and time.monotonic() - began < 10
    assert psutil.Process(os.getpid()).memory_info().rss < MOST_MB * 2**20


@pytest.mark.usefixtures("large")
def test_every_event_of_a_busy_site_reaches_a_watch(
    kube: Kube, control: httpx.Client, api: client.ApiClient
) -> None:
    version = str(kube.server().store.version)
    control.post("/churn", json={"rate": RATE, "seconds": 3}).raise_for_status()
    seen = late = 0
    call: Any = client.CustomObjectsApi(api).list_namespaced_custom_object
    stream: Any = watch.Watch().stream  # type: ignore[no-untyped-call]
    for event in stream(call, *MACHINES, resource_version=version, timeout_seconds=4):
        told = event["object"]["status"].get("heartbeatMs")
        if told:
            seen += 1
            late = max(late, time.time() * 1000 - told)
    of_machines = VMS / (VMS + CLUSTERS)
    assert seen > RATE * 3 * 0.8 * of_machines
    assert late < 1_000

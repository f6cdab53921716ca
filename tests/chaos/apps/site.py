"""A site of apps: the apps API, two hosts that deliver messages, reconcilers; nothing else of the service.

It has two applications: one whose runs are judged, and a rival that tries to reach them.
"""

import json
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from app.config import Settings
from app.host import programs, up
from tests.chaos.site import START_S, Site
from tests.support.ports import free_port
from tests.support.servers import until

APP, RIVAL = "shop", "rival"
LOOK_S = 5.0


class AppsSite(Site):
    """As the whole site, with the processes of apps alone."""

    @property
    def url(self) -> str:
        """The base URL of the apps API."""
        return up.apps_url(self.settings)

    def is_ready(self) -> bool:
        """Whether the apps API reports that it is ready."""
        with suppress(OSError), urllib.request.urlopen(f"{self.url}/ready", timeout=LOOK_S) as answer:
            return bool(answer.status == 200)
        return False

    def _settings(self, direct: str) -> Settings:
        return replace(
            super()._settings(direct), apps_poller=True, apps_port=free_port(), apps_identity="ecs"
        )

    def _argvs(self) -> Mapping[str, list[str]]:
        windlass = list(programs.windlass())
        delivers = [*windlass, "worker", "--queue", "app", "--name"]
        return {
            "apps-api": list(programs.apps(self.settings)),
            **{f"host-{n}": [*delivers, f"h{n}"] for n in range(self._hosts)},
            **{f"reconciler-{n}": [*windlass, "reconciler"] for n in range(self._reconcilers)},
        }

    def _until_whole(self) -> None:
        until(lambda: len(self.processes("worker")) >= self._hosts, START_S, "the dispatchers are there")
        for app in (APP, RIVAL):
            _post(f"{self.url}/api/v1/apps", {"appId": app})


def _post(url: str, body: Any) -> None:
    heads = {"content-type": "application/json"}
    with urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), heads)) as answer:
        assert answer.status < 300

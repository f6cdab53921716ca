"""What the service says of itself, as examples."""

from app.api.v1.examples import AT, SERVER_ID

HIT: dict[str, object] = {
    "kind": "server",
    "id": SERVER_ID,
    "name": "rack-7-slot-12",
    "state": "provisioned",
    "href": f"/v1/servers/{SERVER_ID}",
}
ABOUT: dict[str, object] = {
    "release": "0.1.0",
    "python": "3.11.2",
    "region": "fra",
    "url": "https://windlass.example",
    "time": AT,
    "database": {
        "kind": "postgresql",
        "revision": "0003",
        "newest": "0003",
        "bytes": 734003200,
        "tables": [{"name": "event", "rows": 1200000, "bytes": 402653184}],
    },
    "retentionDays": 90,
    "auditDays": 365,
    "settings": None,
}
DOCTOR: dict[str, object] = {
    "ok": False,
    "findings": [
        {
            "invariant": "workers",
            "run": "",
            "what": "something waits in the queue bmc, and nobody serves it",
            "todo": "start a worker host: windlass worker, or windlass worker --queue bmc",
        }
    ],
}

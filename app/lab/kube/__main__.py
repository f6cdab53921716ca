"""``python -m app.lab.kube``: run management clusters from the command line until SIGTERM or SIGINT.

When everything listens it prints one line of JSON: controlUrl, token, clusters[{name, url}].
"""

import argparse
import json
import sys
from pathlib import Path

from app.domain.errors import Unavailable
from app.lab.background import serve
from app.lab.kube.kube import TOKEN, Kube
from app.lab.ledger import Ledger


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 after a signal, 1 when a port is taken."""
    given = _parser().parse_args(arguments)
    ledger = Ledger(given.ledger)
    kube = Kube(
        given.name or ["mgmt"],
        given.port,
        given.token,
        ledger=ledger,
        tls=given.tls,
        plain=given.plain,
        control_port=given.control_port,
        state=given.state,
    )

    def announce(ready: Kube) -> None:
        if given.kubeconfig:
            given.kubeconfig.touch(mode=0o600)
            given.kubeconfig.write_text(ready.kubeconfig())
        print(json.dumps(ready.summary()), flush=True)

    try:
        serve(kube, announce)
    except Unavailable as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app.lab.kube", description="Simulated Kubernetes management clusters."
    )
    parser.add_argument("--name", action="append", help="name of a cluster, once for each; mgmt by default")
    parser.add_argument("--port", type=int, default=0, help="TCP port of the first cluster, 0 for any")
    parser.add_argument("--control-port", type=int, default=0, help="TCP port of the control API, 0 for any")
    parser.add_argument("--token", default=TOKEN, help="bearer token that may do everything")
    parser.add_argument("--kubeconfig", type=Path, help="file to write a kubeconfig for all of them to")
    parser.add_argument("--ledger", help="file that keeps the effects, one JSON object a line")
    parser.add_argument("--state", help="folder that keeps the objects")
    parser.add_argument("--tls", help="file that keeps key and certificate")
    parser.add_argument("--plain", action="store_true", help="HTTP instead of HTTPS")
    return parser


if __name__ == "__main__":
    sys.exit(main())

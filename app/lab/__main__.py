"""``python -m app.lab``: run a lab from the command line until SIGTERM or SIGINT.

When everything listens it prints one line of JSON: controlUrl, user, machines[{id, ipmiAddress, redfishUrl}],
clusters[{name, url}], clouds{upcloud, aws}.
"""

import argparse
import json
import sys

from app import collector
from app.domain.errors import Unavailable
from app.lab.background import serve
from app.lab.lab import Lab


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 after a signal, 1 when a port is taken."""
    given = _parser().parse_args(arguments)
    lab = Lab(
        given.count,
        given.ipmi_port,
        given.user,
        given.password,
        given.ledger,
        redfish_port=given.redfish_port,
        control_port=given.control_port,
        power_delay=given.power_delay,
        install_delay=given.install_delay,
        tls=given.tls,
        clusters=given.cluster,
        kube_port=given.kube_port,
        kube_state=given.kube_state,
        cloud_port=given.cloud_port,
        cloud_state=given.cloud_state,
        ssh_port=given.ssh_port,
    )
    try:
        serve(lab, lambda ready: print(json.dumps(ready.summary()), flush=True))
    except Unavailable as error:
        print(error.message, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m app.lab", description="Simulated machines with real BMC protocols."
    )
    parser.add_argument("--count", type=int, default=3, help="how many machines")
    parser.add_argument("--control-port", type=int, default=0, help="TCP port of the control API, 0 for any")
    parser.add_argument("--ipmi-port", type=int, default=0, help="UDP port of the first BMC, 0 for any")
    parser.add_argument(
        "--redfish-port", type=int, default=None, help="TCP port of the first BMC, like UDP by default"
    )
    parser.add_argument("--user", default="admin")
    parser.add_argument("--password", default="windlass-lab")
    parser.add_argument("--power-delay", type=float, default=0.2, help="seconds that a power change takes")
    parser.add_argument("--install-delay", type=float, default=0.5, help="seconds that an installation takes")
    parser.add_argument("--ledger", help="file that keeps the effects, one JSON object a line")
    parser.add_argument("--cluster", action="append", default=[], help="name of a management cluster")
    parser.add_argument("--kube-port", type=int, default=0, help="TCP port of the first of them, 0 for any")
    parser.add_argument("--kube-state", help="folder that keeps what the management clusters hold")
    parser.add_argument("--cloud-port", type=int, default=0, help="TCP port of the first cloud, 0 for any")
    parser.add_argument("--cloud-state", help="folder that keeps the servers of the clouds")
    parser.add_argument("--ssh-port", type=int, help="port of every server of the clouds, each on an address")
    parser.add_argument("--tls", help="file that keeps key and certificate of the Redfish services")
    return parser


if __name__ == "__main__":
    collector.look_seldom()
    sys.exit(main())

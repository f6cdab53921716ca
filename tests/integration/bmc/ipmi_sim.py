"""One BMC played by Debian's `ipmi_sim`: an RMCP+ server that shares no code with pyghmi."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

from app.providers.bmc import Target

BINARY = shutil.which("ipmi_sim")

CONFIG = """\
name "bmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 {port}
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "{python} -S -E {chassis} {folder}"
  user 1 true "" "" user 10 none md2 md5 straight
  user 2 true "admin" "secret" admin 10 none md2 md5 straight
"""

# A device id, one threshold sensor with its SDR ("CPU Temp", 42 degrees), one FRU with a product area.
EMULATION = """\
mc_setbmc 0x20
mc_add 0x20 0x21 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02
sel_enable 0x20 1000 0x0a
sensor_add 0x20 0 0x30 0x01 0x01
sensor_set_value 0x20 0 0x30 42 0
sensor_set_event_support 0x20 0 0x30 enable scanning none {none} {none} {none} {none}
main_sdr_add 0x20 {sdr}
mc_add_fru_data 0x20 0x00 {fru_size} data {fru}
mc_set_guid 0x20 "0123456789abcdef"
mc_enable 0x20
"""

# The simulator calls `<program> <folder> get power` or `... set power 1`; a few files are the machine.
CHASSIS = """\
import os, sys
folder, verb, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
def path(name):
    return os.path.join(folder, name)
def read(name, default):
    return open(path(name)).read() if os.path.exists(path(name)) else default
while rest:
    name = rest.pop(0)
    if verb == "get":
        print(name + ":" + read(name, {"power": "0", "boot": "none"}.get(name, "0")))
    else:
        value = rest.pop(0)
        with open(path("ledger"), "a") as ledger:
            ledger.write(name + " " + value + chr(10))
        if name == "shutdown":
            name, value = "power", "0"
        if not os.path.exists(path("lies")):
            open(path(name), "w").write(value)
"""


def field(text: str) -> list[int]:
    """One FRU field: type and length, then the text."""
    return [0xC0 | len(text), *text.encode()]


def fru() -> list[int]:
    """A FRU with only a product area (IPMI platform management FRU, section 12)."""
    body = [1, 0, 0]
    for text in ("ACME", "Server 9", "PN-1", "A1", "SN-42"):
        body += field(text)
    body += [0xC0, 0xC0, 0xC1]
    body += [0] * (-(len(body) + 1) % 8)
    body[1] = (len(body) + 1) // 8
    head = [1, 0, 0, 0, 1, 0, 0]
    return [*head, -sum(head) & 0xFF, *body, -sum(body) & 0xFF]


def sdr() -> list[int]:
    """A full sensor record for sensor 0x30, in degrees, one count a degree (IPMI 2.0, table 43-1)."""
    name = b"CPU Temp"
    body = [0x20, 0, 0x30, 3, 1, 0x7F, 0x68, 0x01, 0x01, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    body += [0] * (42 - len(body)) + [0xC0 | len(name), *name]
    return [0, 0, 0x51, 1, len(body), *body]


class IpmiSim:
    """A running simulator; `folder` holds its machine's state and the ledger of orders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "state").mkdir()
        (folder / "chassis.py").write_text(CHASSIS)
        (folder / "lan.conf").write_text(
            CONFIG.format(port=self.port, python=sys.executable, chassis=folder / "chassis.py", folder=folder)
        )
        data = fru()
        emulation = EMULATION.format(sdr=spaced(sdr()), fru_size=len(data), fru=spaced(data), none="0" * 15)
        (folder / "bmc.emu").write_text(emulation)

    def start(self) -> None:
        assert BINARY
        self.process = subprocess.Popen(
            [BINARY, "-n", "-c", "lan.conf", "-f", "bmc.emu", "-s", "state"],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def freeze(self) -> None:
        """Let every packet go unanswered, as a controller that hangs."""
        assert self.process
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self.process
        os.kill(self.process.pid, signal.SIGCONT)

    def target(self) -> Target:
        return Target(protocol="ipmi", host="127.0.0.1", port=self.port, username="admin", password="secret")

    def ledger(self) -> list[str]:
        """The orders that reached the machine, oldest first, such as `power 1`."""
        path = self.folder / "ledger"
        return path.read_text().splitlines() if path.exists() else []


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spaced(values: list[int]) -> str:
    return " ".join(f"0x{value:02x}" for value in values)

"""The alarm of a time limit may break in at any point, and the next call in the same process is right."""

import json
import subprocess
import sys
from typing import Any

import pytest

from tests.integration.bmc.conftest import IPMI_SIM
from tests.integration.bmc.rigs import IpmiSimRig

pytestmark = pytest.mark.parametrize("made_rig", [IPMI_SIM], indirect=True)


def worker(rig: IpmiSimRig, verb: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.integration.bmc.interrupted", verb, str(rig.process.port)]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def told(process: "subprocess.Popen[str]", said: str = "") -> dict[str, Any]:
    out, errors = process.communicate(said, timeout=300)
    assert process.returncode == 0, errors
    result: dict[str, Any] = json.loads(out.splitlines()[-1])
    return result


def test_a_call_after_an_interrupted_one_is_right(rig: IpmiSimRig) -> None:
    result = told(worker(rig, "storm"))
    assert result["broken"] > 20
    assert result["right"] == 150
    assert result["slowest"] < 30  # Who waited for the interrupted call would take all of its patience.


def test_a_login_after_an_interrupted_login_is_right(rig: IpmiSimRig) -> None:
    rig.hush()
    process = worker(rig, "hang")
    assert process.stdout
    assert process.stdout.readline() == "interrupted\n"
    rig.mend()
    assert told(process, "\n") == {"power": "off"}


def test_a_process_forked_after_first_use_has_its_own_pyghmi(rig: IpmiSimRig) -> None:
    assert told(worker(rig, "fork")) == {"child": 0, "parent": True}

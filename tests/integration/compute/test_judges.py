"""What others say: moto of our EC2 driver, boto3 and UpCloud's own client of the lab's doubles.

They live in an environment of their own (`scripts/judges`): boto3 and the Kubernetes client want different
versions of one package.
"""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.lab.clouds import Clouds
from app.lab.clouds.ec2 import ACCESS_KEY, REGION, SECRET_KEY
from app.lab.clouds.upcloud import PASSWORD, USERNAME
from app.providers.compute import Access, Spec, connect
from tests.integration.compute.rigs import upcloud_access
from tests.support.ports import free_port
from tests.support.servers import needs, until

PYTHON = Path("build/judges/bin/python")
pytestmark = needs(PYTHON.exists(), "moto, boto3 and upcloud-api are not installed: scripts/judges")
BOTO3 = """
import boto3, sys
ec2 = boto3.client("ec2", endpoint_url=sys.argv[1], region_name=sys.argv[2],
                   aws_access_key_id=sys.argv[3], aws_secret_access_key=sys.argv[4])
tags = [{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "web-1"}]}]
order = dict(ImageId="ami-1", InstanceType="t3.micro", MinCount=1, MaxCount=1, ClientToken="t")
order["TagSpecifications"] = tags
first, again = (ec2.run_instances(**order)["Instances"][0]["InstanceId"] for _ in range(2))
assert first == again
found = ec2.describe_instances(Filters=[{"Name": "tag:Name", "Values": ["web-1"]}])["Reservations"]
assert [one["InstanceId"] for each in found for one in each["Instances"]] == [first]
ec2.terminate_instances(InstanceIds=[first])
"""
UPCLOUD = """
import sys
from upcloud_api import CloudManager, api
api.API.api_root = sys.argv[1]
manager = CloudManager(sys.argv[2], sys.argv[3])
assert manager.get_account()["account"]["username"] == sys.argv[2]
assert [one.hostname for one in manager.get_servers()] == ["web-1"]
"""


@pytest.fixture
def lab() -> Iterator[Clouds]:
    """Both clouds."""
    with Clouds() as lab:
        yield lab


def judge(program: str, *arguments: str) -> None:
    """Run a program of the judges; it must end well."""
    command = [str(PYTHON), "-W", "ignore", "-c", program, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_boto3_takes_the_double_for_ec2(lab: Clouds) -> None:
    judge(BOTO3, lab.ec2_url, REGION, ACCESS_KEY, SECRET_KEY)


def test_the_client_of_upcloud_takes_the_double_for_upcloud(lab: Clouds) -> None:
    connect(upcloud_access(lab)).create(Spec(name="web-1", plan="small", zone="here", batch="b"), "t" * 32)
    judge(UPCLOUD, f"{lab.upcloud_url}/1.3", USERNAME, PASSWORD)


def test_moto_takes_our_driver_for_a_client_of_ec2() -> None:
    port = free_port()
    moto = subprocess.Popen(
        [PYTHON, "-m", "moto.server", "-p", str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        access = Access(
            provider="aws",
            endpoint=f"http://127.0.0.1:{port}",
            region="us-east-1",
            credentials={"access_key_id": "a", "secret_access_key": "b"},
            image="ami-12c6146b",
        )
        aws = connect(access)
        until(lambda: answers(port), 60)
        spec = Spec(name="web-1", plan="t3.micro", zone="us-east-1a", batch="b1")
        made = aws.create(spec, "t" * 32)
        assert [one.id for one in aws.find(token="t" * 32)] == [made.id]
        assert (aws.find(name="web-1")[0].batch, aws.find(name="web-2")) == ("b1", [])
        until(lambda: aws.remove(made.id), 20)
        assert aws.look(made.id) is None and aws.zones() and aws.whoami().name
    finally:
        moto.kill()
        moto.wait()


def answers(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0

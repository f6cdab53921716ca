"""The doubled clouds: what only one of them does, their faults, and their part of the control API."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from app.domain.errors import CloudAuthFailed, CloudRefused, CloudUnreachable, NotFound, ValidationFailed
from app.lab.clouds import Clouds
from app.lab.clouds.faults import Faults
from app.lab.http import Request
from app.providers.compute import Access, connect
from tests.integration.compute.rigs import aws_access, upcloud_access
from tests.integration.compute.test_behaviour import SPEC, TOKEN
from tests.support.servers import until

CLOUDS = {"upcloud": upcloud_access, "aws": aws_access}


@pytest.fixture
def lab() -> Iterator[Clouds]:
    """Both clouds."""
    with Clouds() as lab:
        yield lab


def asked(method: str, path: str, body: bytes = b"") -> Request:
    """A request of the control API."""
    return Request(
        method=method, path=path, query={}, headers={}, body=body, port=1, connection={}, gone=lambda: False
    )


def broken(lab: Clouds, name: str, **faults: Any) -> None:
    """Break one of the clouds."""
    lab.clouds[name].active_faults.current = Faults(**faults)


def test_ec2_answers_a_repeated_token_with_the_same_instance(lab: Clouds) -> None:
    aws = connect(aws_access(lab))
    first, again = aws.create(SPEC, TOKEN), aws.create(SPEC, TOKEN)
    assert first.id == again.id
    assert len(lab.clouds["aws"].living()) == 1


def test_ec2_refuses_a_token_for_another_order(lab: Clouds) -> None:
    aws = connect(aws_access(lab))
    aws.create(SPEC, TOKEN)
    with pytest.raises(CloudRefused) as refused:
        aws.create(replace(SPEC, name="web-2"), TOKEN)
    assert refused.value.details["reason"] == "IdempotentParameterMismatch"


def test_ec2_refuses_the_token_of_an_instance_that_was_removed(lab: Clouds) -> None:
    aws = connect(aws_access(lab))
    made = aws.create(SPEC, TOKEN)
    until(lambda: aws.remove(made.id))
    with pytest.raises(CloudRefused) as refused:
        aws.create(SPEC, TOKEN)
    assert refused.value.details["reason"] == "IdempotentInstanceTerminated"


def test_upcloud_makes_a_second_server_for_a_repeated_order(lab: Clouds) -> None:
    upcloud = connect(upcloud_access(lab))
    upcloud.create(SPEC, TOKEN)
    upcloud.create(SPEC, TOKEN)
    assert len(upcloud.find(token=TOKEN)) == 2


@pytest.mark.parametrize("secret", ["password", "secret_access_key"])
def test_a_wrong_secret_is_refused(lab: Clouds, secret: str) -> None:
    access = upcloud_access(lab) if secret == "password" else aws_access(lab)
    wrong = replace(access, credentials={**access.credentials, secret: "wrong"})
    compute = connect(wrong)
    with pytest.raises(CloudAuthFailed) as refused:
        compute.zones()
    assert "wrong" not in refused.value.message


@pytest.mark.parametrize("name", CLOUDS)
def test_a_page_of_a_proxy_leaves_the_outcome_of_an_order_unknown(lab: Clouds, name: str) -> None:
    broken(lab, name, html=True)
    compute = connect(CLOUDS[name](lab))
    with pytest.raises(CloudUnreachable) as lost:
        compute.create(SPEC, TOKEN)
    with pytest.raises(CloudUnreachable) as unread:
        compute.find(token=TOKEN)
    assert not lost.value.nothing_happened
    assert unread.value.nothing_happened


@pytest.mark.parametrize("name", CLOUDS)
def test_a_lost_request_looks_like_a_lost_answer_and_made_nothing(lab: Clouds, name: str) -> None:
    broken(lab, name, drop="request")
    compute = connect(CLOUDS[name](lab))
    with pytest.raises(CloudUnreachable) as lost:
        compute.create(SPEC, TOKEN)
    assert not lost.value.nothing_happened
    assert compute.find(token=TOKEN) == []


@pytest.mark.parametrize("name", CLOUDS)
def test_a_dead_cloud_is_unreachable(lab: Clouds, name: str) -> None:
    broken(lab, name, dead=True)
    compute = connect(CLOUDS[name](lab))
    with pytest.raises(CloudUnreachable):
        compute.whoami()


@pytest.mark.parametrize("name", CLOUDS)
def test_a_closed_port_is_certain_to_have_made_nothing(name: str) -> None:
    access = Access(provider=name, endpoint="http://127.0.0.1:1")
    compute = connect(access)
    with pytest.raises(CloudUnreachable) as dead:
        compute.create(SPEC, TOKEN)
    assert dead.value.nothing_happened


@pytest.mark.parametrize("name", CLOUDS)
def test_a_server_that_dies_is_seen_stopped(lab: Clouds, name: str) -> None:
    compute = connect(CLOUDS[name](lab))
    made = compute.create(SPEC, TOKEN)
    broken(lab, name, dies=0.01)
    until(lambda: getattr(compute.look(made.id), "state", None) == "stopped")
    assert compute.find(token=TOKEN)[0].state == "stopped"


@pytest.mark.parametrize("name", CLOUDS)
def test_a_slow_cloud_answers(lab: Clouds, name: str) -> None:
    broken(lab, name, slow=0.01)
    compute = connect(CLOUDS[name](lab))
    assert compute.zones()


@pytest.mark.parametrize("name", CLOUDS)
def test_a_fault_that_has_bitten_often_enough_is_mended(lab: Clouds, name: str) -> None:
    broken(lab, name, dead=True, fail_times=1)
    compute = connect(CLOUDS[name](lab))
    with pytest.raises(CloudUnreachable):
        compute.zones()
    assert compute.zones()


def test_the_control_api_shows_breaks_and_removes(lab: Clouds) -> None:
    upcloud = connect(upcloud_access(lab))
    made = upcloud.create(SPEC, TOKEN)
    shown = lab.control(asked("GET", "/clouds/upcloud")).body
    assert [one["id"] for one in shown["servers"]] == [made.id]
    lab.control(asked("PATCH", "/clouds/upcloud", b'{"faults": {"dead": true}}'))
    assert lab.clouds["upcloud"].faults.dead
    lab.control(asked("PATCH", "/clouds/upcloud", b'{"faults": {}}'))
    lab.control(asked("DELETE", f"/clouds/upcloud/{made.id}"))
    assert upcloud.look(made.id) is None
    with pytest.raises(NotFound):
        lab.control(asked("GET", "/clouds/nowhere"))
    with pytest.raises(ValidationFailed):
        lab.control(asked("PATCH", "/clouds/aws", b'{"faults": {"deaf": true}}'))


@pytest.mark.parametrize("name", CLOUDS)
def test_the_ledger_tells_what_was_made_and_removed(lab: Clouds, name: str) -> None:
    compute = connect(CLOUDS[name](lab))
    made = compute.create(SPEC, TOKEN)
    until(lambda: compute.remove(made.id))
    effects = [line.effect for line in lab.clouds[name].ledger.read(made.id)]
    assert effects[0] == "instance.created" and effects[-1] == "instance.removed"


def test_the_servers_outlive_the_lab(tmp_path: Any) -> None:
    with Clouds(state=tmp_path) as lab:
        upcloud = connect(upcloud_access(lab))
        made = upcloud.create(SPEC, TOKEN)
    with Clouds(state=tmp_path) as lab:
        upcloud = connect(upcloud_access(lab))
        assert [one.id for one in upcloud.find(token=TOKEN)] == [made.id]

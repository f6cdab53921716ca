"""Endpoints are told how runs of apps end."""

import pytest

from app.record.apps import fast
from app.record.apps.scope import Scope
from app.record.service import deliveries
from app.services.apps.write import write
from tests.integration.apps.told import APP, RUN, begin, event
from tests.integration.webhooks_flow.box import Box
from tests.integration.webhooks_flow.office import Office

ENDS = {"run_completed": "completed", "run_failed": "failed", "run_cancelled": "cancelled"}


@pytest.mark.parametrize("kind", ENDS)
def test_the_end_of_an_apps_run_is_told_once_and_without_its_payloads(
    office: Office, to: Box, kind: str
) -> None:
    office.endpoint(to.url, "app.run.*")
    office.endpoint(to.url, "run.*")
    begin(office.world.db)

    for _ in range(2):
        write(office.world.db, APP, event(kind, output="secret", error="secret"))

    assert office.deliver_until_quiet() == ["delivered"]
    (mail,) = to.mail
    shown = {name: mail.data[name] for name in ("app", "runId", "workflowName", "deploymentId", "status")}
    assert mail.event == f"app.run.{ENDS[kind]}"
    assert shown == {
        "app": APP,
        "runId": RUN,
        "workflowName": "w",
        "deploymentId": "d",
        "status": ENDS[kind],
    }
    assert b"secret" not in mail.body


def test_where_nobody_listens_nothing_is_written(office: Office, to: Box) -> None:
    office.endpoint(to.url, "app.run.failed", "run.*")
    begin(office.world.db)
    write(office.world.db, APP, event("run_completed"))
    assert office.deliveries == []


def test_only_an_end_that_is_heard_is_written_slowly(office: Office, to: Box) -> None:
    if office.world.db.dialect != "postgresql":
        return  # Only there is a fast way.
    office.endpoint(to.url, "app.run.failed")
    scope = Scope(tenant=office.world.db.tenant, app=APP)
    done = []
    for number, kind in enumerate(("run_failed", "run_completed")):
        begin(office.world.db, f"wrun_{number}")
        done.append(fast.write(office.world.db, scope, event(kind, None, f"wrun_{number}"), 100))
    assert [one is not None for one in done] == [False, True]


def test_deliveries_about_apps_are_deleted_when_they_are_old(office: Office, to: Box) -> None:
    office.endpoint(to.url, "app.run.completed", "run.completed")
    begin(office.world.db)
    write(office.world.db, APP, event("run_completed"))
    office.ran()
    forget = lambda tx: deliveries.forget_before(tx, tx.now + 1)  # noqa: E731

    assert office.world.db.write(forget) == 0  # It is still to be delivered.
    office.deliver_until_quiet()

    assert office.world.db.write(forget) == 1
    assert [one["event"] for one in office.deliveries] == ["run.completed"]

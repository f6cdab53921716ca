"""Endpoints receive how runs of apps end."""

import pytest

from app.record.apps import event_statement
from app.record.apps.scope import Scope
from app.record.service import deliveries
from app.services.apps.write import write
from tests.integration.apps.events import APP, RUN, begin, event
from tests.integration.webhooks_flow.receiver import Inbox
from tests.integration.webhooks_flow.rig import Rig

ENDS = {"run_completed": "completed", "run_failed": "failed", "run_cancelled": "cancelled"}


@pytest.mark.parametrize("kind", ENDS)
def test_the_end_of_an_apps_run_is_told_once_and_without_its_payloads(rig: Rig, to: Inbox, kind: str) -> None:
    rig.endpoint(to.url, "app.run.*")
    rig.endpoint(to.url, "run.*")
    begin(rig.world.db)

    for _ in range(2):
        write(rig.world.db, APP, event(kind, output="secret", error="secret"))

    assert rig.deliver_until_quiet() == ["delivered"]
    (received,) = to.received
    shown = {name: received.data[name] for name in ("app", "runId", "workflowName", "deploymentId", "status")}
    assert received.event == f"app.run.{ENDS[kind]}"
    assert shown == {
        "app": APP,
        "runId": RUN,
        "workflowName": "w",
        "deploymentId": "d",
        "status": ENDS[kind],
    }
    assert b"secret" not in received.body


def test_where_nobody_listens_nothing_is_written(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "app.run.failed", "run.*")
    begin(rig.world.db)
    write(rig.world.db, APP, event("run_completed"))
    assert rig.deliveries == []


def test_only_an_end_that_is_heard_is_written_slowly(rig: Rig, to: Inbox) -> None:
    if rig.world.db.dialect != "postgresql":
        return  # Only there is a fast way.
    rig.endpoint(to.url, "app.run.failed")
    scope = Scope(tenant=rig.world.db.tenant, app=APP)
    done = []
    for number, kind in enumerate(("run_failed", "run_completed")):
        begin(rig.world.db, f"wrun_{number}")
        done.append(event_statement.write(rig.world.db, scope, event(kind, None, f"wrun_{number}"), 100))
    assert [one is not None for one in done] == [False, True]


def test_deliveries_about_apps_are_deleted_when_they_are_old(rig: Rig, to: Inbox) -> None:
    rig.endpoint(to.url, "app.run.completed", "run.completed")
    begin(rig.world.db)
    write(rig.world.db, APP, event("run_completed"))
    rig.ran()
    forget = lambda tx: deliveries.forget_before(tx, tx.now + 1)  # noqa: E731

    assert rig.world.db.write(forget) == 0  # It is still to be delivered.
    rig.deliver_until_quiet()

    assert rig.world.db.write(forget) == 1
    assert [one["event"] for one in rig.deliveries] == ["run.completed"]

"""Planted bugs of apps; each is shown by a row, and named by what the judge of apps calls it."""

from tests.chaos.bugs.plant import Bug

APPS: tuple[Bug, ...] = (
    Bug(
        name="a step is completed again",
        file="app/record/apps/event_statement.py",
        old='    AppEventType.STEP_COMPLETED: Usual(entity={"status": "running"},'
        " holds=\"o.status <> 'completed'\"),",
        new='    AppEventType.STEP_COMPLETED: Usual(entity={"status": "running"}, holds="true"),',
        breaks="two writers of one step's result stand in the log, which cannot be replayed",
        scenario="AF8",
        caught_by="once",
    ),
    Bug(
        name="run_started is not deduplicated",
        file="app/record/apps/event_statement.py",
        old='    AppEventType.RUN_STARTED: Usual(run="app_run.status = \'pending\'", status="pending"),',
        new='    AppEventType.RUN_STARTED: Usual(run=OPEN, status="pending"),',
        breaks="every turn of a workflow starts its run anew",
        scenario="AF1",
        caught_by="once",
    ),
    Bug(
        name="a slot is skipped",
        file="app/record/apps/event_statement.py",
        old='    sets = ["events = events + 1"]',
        new='    sets = ["events = events + 1 + (random() < 0.05)::int"]',
        breaks="a log has a hole, and the run can never be replayed",
        scenario="AF8",
        caught_by="I19",
    ),
    Bug(
        name="what a dead dispatcher held never comes back",
        file="app/record/apps/message_statements.py",
        old='        " taken AS (UPDATE app_message AS m SET due_at = (SELECT at FROM clock) + $4::bigint,"',
        new='        " taken AS (UPDATE app_message AS m SET due_at = NULLIF($4::bigint, $4::bigint),"',
        breaks="a message whose delivery died is lost, and its run waits for ever",
        scenario="AF2",
        caught_by="message",
    ),
    Bug(
        name="a delay ends early",
        file="app/services/apps/queue.py",
        old="        delay_ms=asked.delay_ms,",
        new="        delay_ms=asked.delay_ms // 2,",
        breaks="a sleep is shorter than was asked",
        scenario="AF2",
        caught_by="early",
    ),
    Bug(
        name="a token is freed too late",
        file="app/record/apps/event_statement.py",
        old="        f\" WHERE {_of_run(hook, given)} AND o.status <> 'disposed')\",",
        new="        f\" WHERE {_of_run(hook, given)} AND o.status = 'pending')\",",
        breaks="a run that has ended keeps the token of a hook that was received",
        scenario="AF2",
        caught_by="token",
    ),
    Bug(
        name="runs of other applications are found",
        file="app/record/apps/scope.py",
        old="        return and_(table.c.tenant_id == self.tenant, table.c.app == self.app)",
        new="        return and_(table.c.tenant_id == self.tenant)",
        breaks="an application reads, and ends, the runs of another one",
        scenario="AF1",
        caught_by="foreign",
    ),
)

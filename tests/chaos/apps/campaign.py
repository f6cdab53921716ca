"""A campaign of apps: a site, an app and its users, a storm, and the judge."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import func, select

from app.record.tables import app_message, app_run
from tests.chaos.apps.judge import judge
from tests.chaos.apps.program import VERSION, AppsApi, Program
from tests.chaos.apps.site import AppsSite
from tests.chaos.apps.users import Users
from tests.chaos.campaign import TICK_S, Plan, Result
from tests.chaos.checks.evidence import Finding
from tests.chaos.fault import faults
from tests.chaos.schedule import schedule
from tests.chaos.storm import Storm
from tests.support.handlers import handling

CLIENTS, CALM = 10, 1
MORE_S = 60.0  # A row that was not struck yet gets so much longer.
REST_S = 90.0  # The longest pause between two tries, and some more.


def run(plan: Plan, folder: Path, say: Callable[[str], None]) -> Result:
    """Carry out the plan on a new site; the folder keeps the evidence."""
    result = Result(plan=plan, folder=folder)
    with (
        AppsSite(plan.backend, folder, tree=plan.tree, setting=plan.setting) as site,
        handling() as handler,
    ):
        program = Program(AppsApi(site.url))
        handler.answer = program.answer
        pod = {"podId": "pod", "deploymentVersion": VERSION, "endpoints": handler.endpoints()}
        program.api.ask("POST", "/handlers", pod)
        users = Users(site.url, program, plan.seed)
        site.users = users
        try:
            users.submit(CLIENTS, CALM)
            users.wait()
            say(f"calm: {len(users.started)} runs have ended")
            storm = _storm(plan, site, users, result, say)
            _rest(site, users, result)
        finally:
            users.close()
        result.findings += judge(site.db, users, program)
        _count(plan, site, storm, program, result)
    return result


def _storm(plan: Plan, site: AppsSite, users: Users, result: Result, say: Callable[[str], None]) -> Storm:
    known, began, pause = faults(plan.backend), time.monotonic(), threading.Event()
    strikes = schedule(plan.seed, plan.beats, known, plan.seconds + MORE_S)
    users.submit(CLIENTS)
    storm = Storm(site, known, strikes, seed=plan.seed, say=say, rows=plan.rows)
    try:
        while (past := time.monotonic() - began) < plan.seconds or (
            storm.missing and past < plan.seconds + MORE_S
        ):
            storm.tend()
            pause.wait(TICK_S)
    finally:
        users.enough()
        storm.calm()
    result.storm_s = time.monotonic() - began
    return storm


def _rest(site: AppsSite, users: Users, result: Result) -> None:
    """Every fault is healed: the clients get what they wait for, and no message stays."""
    began, pause = time.monotonic(), threading.Event()
    users.wait()
    wanted = select(func.count()).select_from(app_message).where(app_message.c.state == "open")
    while time.monotonic() - began < REST_S and site.db.read(lambda tx: tx.value(wanted), patience_s=30):
        pause.wait(0.2)
    result.ended_s = time.monotonic() - began


def _count(plan: Plan, site: AppsSite, storm: Storm, program: Program, result: Result) -> None:
    counted = select(app_run.c.status, func.count().label("runs")).group_by(app_run.c.status)
    rows = site.db.read(lambda tx: tx.rows(counted), patience_s=30)
    result.statuses = Counter({row["status"]: row["runs"] for row in rows})
    result.runs, result.effects = result.statuses.total(), sum(map(len, program.effects.values()))
    for one in storm.injections:
        result.injected[one.fault] += 1
        result.rows.update(set(one.rows).intersection(plan.rows))
    result.refused = storm.refused
    for row in plan.rows:
        if not result.rows[row]:
            result.findings.append(Finding(number="row", what=f"{row}: no fault was really injected"))

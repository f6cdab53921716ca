"""Commands ask the service for the right thing."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from app.cli.main import COMMANDS, TARGETS, cli
from tests.unit.cli.conftest import Windlass
from tests.unit.client.standin import Reply, Standin, ok, page

RUNS = "/v1/workflows/runs"
NEWER, OLDER = "run_01arz3ndektsv4rrffq69g5fav", "run_01arz3ndektsv4rrffq69g5fzz"
SERVER = {"id": "srv_1", "state": "registering"}


@pytest.mark.parametrize("name", TARGETS)
def test_every_command_of_the_table_exists(name: str) -> None:
    ended = CliRunner().invoke(cli, [name, "--help"])

    assert ended.exit_code == 0, ended.output


def test_the_table_has_no_name_twice() -> None:
    assert len(TARGETS) == len(COMMANDS)


@pytest.mark.parametrize("text", [NEWER[:-1], "9g5fav", NEWER.removeprefix("run_")[:-1]])
def test_part_of_a_run_id_is_enough(service: Standin, windlass: Windlass, text: str) -> None:
    service.answers("GET", RUNS, page({"id": NEWER}, {"id": OLDER}))
    service.answers("GET", f"{RUNS}/{NEWER}", ok({"id": NEWER, "status": "completed"}))

    assert NEWER in windlass("run", "get", text).stdout


def test_part_of_two_run_ids_is_a_question(service: Standin, windlass: Windlass) -> None:
    service.answers("GET", RUNS, page({"id": NEWER}, {"id": OLDER}))

    result = windlass("run", "get", "run_01arz")

    assert result.exit_code == 2
    assert NEWER in result.stderr and OLDER in result.stderr


def test_a_start_joins_json_and_single_members(service: Standin, windlass: Windlass) -> None:
    service.answers("POST", RUNS, ok({"id": NEWER}, 202))

    windlass("run", "start", "server.inspect", "-i", '{"a": 1}', "-p", "b=2", "-p", "c=x", "--queue")

    assert service.asked[0].body == {"type": "server.inspect", "input": {"a": 1, "b": 2, "c": "x"}}
    assert service.asked[0].query == {"onConflict": "queue"}


def test_a_name_with_dots_leads_into_an_object(service: Standin, windlass: Windlass) -> None:
    service.answers("POST", RUNS, ok({"id": NEWER}, 202))
    given = '{"image": {"url": "http://i", "format": "raw"}}'

    windlass("run", "start", "x", "-i", given, "-p", "image.format=qcow2", "-p", "a.b.c=1")

    image = {"url": "http://i", "format": "qcow2"}
    assert service.asked[0].body["input"] == {"image": image, "a": {"b": {"c": 1}}}


@pytest.mark.parametrize("text", ["a.=1", ".a=1", "a..b=1", "a=1 a.b=2"])
def test_a_name_that_leads_nowhere_is_refused(service: Standin, windlass: Windlass, text: str) -> None:
    params = [word for each in text.split() for word in ("-p", each)]

    assert windlass("run", "start", "x", *params).exit_code == 2
    assert service.asked == []


@pytest.mark.parametrize("since", ["1h", "1h30m", "2d", "yesterday", "today"])
def test_times_may_be_told_as_people_do(service: Standin, windlass: Windlass, since: str) -> None:
    service.answers("GET", RUNS, page())

    windlass("run", "list", "--since", since)

    told = datetime.fromisoformat(service.asked[0].query["since"])
    assert timedelta() <= datetime.now(UTC) - told <= timedelta(days=2, minutes=1)


@pytest.mark.parametrize("since", ["soon", "99999999999w", f"{'9' * 400}w"])
def test_what_is_no_time_is_refused(windlass: Windlass, since: str) -> None:
    assert "no duration such as 1h30m" in windlass("run", "list", "--since", since).stderr


def test_a_run_is_exported_with_its_log(service: Standin, windlass: Windlass) -> None:
    first, second = {"seq": 1, "type": "run.created"}, {"seq": 2, "type": "run.started"}
    whole = {"run": {"id": NEWER, "steps": [{"name": "a"}]}, "events": [first], "truncated": True}
    service.answers("GET", f"{RUNS}/{NEWER}/export", ok(whole))
    service.answers("GET", f"{RUNS}/{NEWER}/events", page(second))

    document = json.loads(windlass("run", "export", NEWER).stdout)

    assert document["run"]["steps"] == [{"name": "a"}]
    assert document["events"] == [first, second]


def test_numbers_of_a_type_are_shown(service: Standin, windlass: Windlass) -> None:
    found = {
        "type": "server.inspect",
        "summary": {"total": 3, "failed": 1},
        "failureReasons": [{"code": "BMC_REFUSED", "count": 1}],
    }
    service.answers("GET", "/v1/workflows/metrics", ok(found))

    shown = windlass("stats", "server.inspect").stdout

    assert service.asked[0].query == {"type": "server.inspect"}
    assert "BMC_REFUSED" in shown


def test_a_plan_says_what_each_step_is_done_with(service: Standin, windlass: Windlass) -> None:
    step = {"key": "switch-power", "name": "switch-power", "values": {"state": "on"}, "timeoutMs": 90_000}
    plan = {"type": "server.lifecycle", "resource": "server/srv_1", "steps": [step]}
    service.answers("POST", "/v1/servers/srv_1/actions", ok(plan))

    result = windlass("server", "power", "on", "srv_1", "--dry-run")

    assert "server/srv_1" in result.stdout and "state=on" in result.stdout


def test_a_dry_run_starts_nothing(service: Standin, windlass: Windlass) -> None:
    plan = {
        "type": "server.provision",
        "steps": [{"name": "reserve", "undo": True}],
        "locks": ["server/srv_1"],
    }
    service.answers("POST", "/v1/servers/srv_1/actions", ok(plan))

    result = windlass("server", "provision", "srv_1", "--image", "http://i", "--dry-run")

    assert "reserve" in result.stdout and "nothing was started" in result.stderr
    assert [asked.query for asked in service.asked] == [{"dryRun": "true"}]


def test_what_cannot_be_taken_back_needs_a_yes(service: Standin, windlass: Windlass) -> None:
    service.answers("DELETE", "/v1/servers/srv_1", ok(SERVER, 202, workflowId=NEWER))

    assert windlass("server", "decommission", "srv_1").exit_code == 2
    assert service.asked == []
    assert windlass("server", "decommission", "srv_1", "--yes").exit_code == 0


def test_the_waiting_list_says_what_each_run_waits_for(service: Standin, windlass: Windlass) -> None:
    waits = {"kind": "lock", "text": "Waits for server/srv_1, which run run_2 holds."}
    waiting = {"id": NEWER, "waitingOn": waits, "needsOperator": False}
    service.answers("GET", RUNS, page(waiting))

    shown = windlass("run", "list", "--waiting").stdout

    assert service.asked[0].query["waiting"] == "true"
    assert "Waits for server/srv_1, which run run_2 holds." in shown


def test_a_password_is_asked_for_and_never_printed(service: Standin, windlass: Windlass) -> None:
    service.answers("POST", "/v1/servers", ok(SERVER, 202, workflowId=NEWER))
    args = ("server", "register", "--protocol", "ipmi", "--address", "127.0.0.1:1", "--username", "admin")

    result = windlass(*args, input="hunter22\n")

    assert service.asked[0].body["bmcCredential"] == {"username": "admin", "password": "hunter22"}
    assert "hunter22" not in result.output


def test_a_table_of_machines_is_imported(service: Standin, windlass: Windlass, tmp_path: Path) -> None:
    file = tmp_path / "machines.csv"
    file.write_text(
        "displayName,protocol,bmcAddress,username,password,tags\na,ipmi,10.0.0.1:623,root,pw,x; y\n"
    )
    results = [{"index": 0, "status": 202, "data": SERVER, "workflowId": NEWER}]
    service.answers("POST", "/v1/servers:import", ok(results, 207))

    assert windlass("server", "import", str(file)).exit_code == 0
    assert service.asked[0].body == [
        {
            "displayName": "a",
            "protocol": "ipmi",
            "bmcAddress": "10.0.0.1:623",
            "tags": ["x", "y"],
            "bmcCredential": {"username": "root", "password": "pw"},
        }
    ]


def test_an_import_that_failed_in_part_is_1(service: Standin, windlass: Windlass, tmp_path: Path) -> None:
    file = tmp_path / "machines.json"
    file.write_text(json.dumps([{"bmcAddress": "10.0.0.1:623"}]))
    failed = {"index": 0, "status": 400, "error": {"code": "VALIDATION_ERROR", "message": "No protocol."}}
    service.answers("POST", "/v1/servers:import", ok([failed], 207))

    result = windlass("server", "import", str(file))

    assert result.exit_code == 1
    assert "No protocol." in result.stdout and "0 of 1" in result.stderr


def test_a_lock_is_released_with_a_reason(service: Standin, windlass: Windlass) -> None:
    service.answers("DELETE", "/v1/locks/server/srv_1", ok(None))

    assert windlass("lock", "release", "server/srv_1", "--reason", "dead", "-y").exit_code == 0
    assert service.asked[0].body == {"reason": "dead"}


def test_settings_are_shown_without_secrets() -> None:
    environ = {"WINDLASS_CURSOR_KEY": "deadbeef", "DATABASE_URL": "postgresql://me:hunter22@db/x"}

    shown = CliRunner().invoke(cli, ["config", "show"], env=environ).output

    assert "deadbeef" not in shown and "hunter22" not in shown
    assert "me:[redacted]@db/x" in shown


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_each_shell(shell: str) -> None:
    assert "_WINDLASS_COMPLETE" in CliRunner().invoke(cli, ["completion", shell]).output


def test_a_step_that_cannot_be_repeated_alone_is_resumed_where_it_begins(
    service: Standin, windlass: Windlass
) -> None:
    told = {"message": "install has to be begun again at boot-from", "details": {"fromStep": "boot-from"}}
    refused = {"success": False, "error": {"code": "INVALID_STATE_TRANSITION", **told}}
    service.answers(
        "POST", f"{RUNS}/{OLDER}/actions", Reply(status=409, content=json.dumps(refused).encode())
    )
    service.answers("POST", f"{RUNS}/{OLDER}/retry", ok({"id": NEWER, "status": "pending"}, 202))

    result = windlass("run", "resume", OLDER, "--reason", "image server is back")

    assert result.exit_code == 0 and NEWER in result.stdout
    assert f"A new run takes over from {OLDER} at boot-from" in result.stderr
    assert service.asked[-1].body == {"fromStep": "boot-from", "reason": "image server is back"}


@pytest.mark.parametrize(
    ("run", "told"),
    [
        (
            {"needsOperator": True, "waitingOn": {"kind": "operator", "text": "Needs an operator."}},
            "Needs an",
        ),
        ({"steps": [{"name": "power", "status": "running", "error": {"message": "No answer"}}]}, "No answer"),
    ],
)
def test_a_server_says_what_its_run_has_met(
    service: Standin, windlass: Windlass, run: dict[str, object], told: str
) -> None:
    service.answers("GET", "/v1/servers/srv_1", ok({**SERVER, "runId": NEWER}))
    service.answers("GET", f"{RUNS}/{NEWER}", ok({"id": NEWER, "status": "running", **run}))
    result = windlass("server", "get", "srv_1")
    assert result.exit_code == 0 and f"Run {NEWER} on it" in result.stderr and told in result.stderr

"""Commands that need no API: queues, tables, values from the command line."""

import json
from pathlib import Path

import click
import pytest
import redis
from click.testing import CliRunner, Result

from app.cli import imports, inputs
from app.cli.failure import explain, of_run
from app.cli.main import cli
from app.domain.errors import Conflict, InvalidStateTransition
from tests.support.servers import KeyValue
from windlass import Run


def call(*args: str, **environ: str) -> Result:
    """A command line with these settings."""
    return CliRunner().invoke(cli, args, env=environ)


def test_a_controller_that_is_known_leads_to_its_server() -> None:
    told = explain(Conflict("server srv_1 has the controller at 10.0.0.1 already", server="srv_1"))

    assert "windlass server inspect srv_1 --wait" in told


def test_queues_are_listed_by_their_true_keys(valkey_server: KeyValue) -> None:
    with redis.Redis.from_url(valkey_server.url) as store:
        store.flushall()
        store.rpush("wl:bmc", "a", "b")
        store.rpush("other:bmc", "a")
        store.set("wl:note", "no list")

    shown = call("queue", "list", "-o", "json", REDIS_URL=valkey_server.url)

    assert json.loads(shown.stdout) == [
        {"queue": "app", "key": "wl:app", "length": 0},
        {"queue": "bmc", "key": "wl:bmc", "length": 2},
        {"queue": "cloud", "key": "wl:cloud", "length": 0},
        {"queue": "default", "key": "wl:default", "length": 0},
        {"queue": "kube", "key": "wl:kube", "length": 0},
        {"queue": "webhook", "key": "wl:webhook", "length": 0},
    ]


def test_tables_are_made_and_then_as_they_should_be(tmp_path: Path) -> None:
    state = str(tmp_path / "state")

    assert call("db", "upgrade", WINDLASS_STATE_DIR=state).exit_code == 0
    assert call("db", "check", WINDLASS_STATE_DIR=state).exit_code == 0


def test_a_database_that_is_behind_is_1(tmp_path: Path) -> None:
    (tmp_path / "windlass.db").touch()

    result = call("db", "check", WINDLASS_STATE_DIR=str(tmp_path))

    assert result.exit_code == 1
    assert "windlass db upgrade" in result.output


def test_a_key_is_shown_once_and_revoked_by_name(tmp_path: Path) -> None:
    state = str(tmp_path)
    call("db", "upgrade", WINDLASS_STATE_DIR=state)

    made = json.loads(
        call("key", "create", "ops", "--scope", "admin", "-o", "json", WINDLASS_STATE_DIR=state).stdout
    )
    again = call("key", "create", "ops", "--scope", "admin", WINDLASS_STATE_DIR=state)
    revoked = call("key", "revoke", "ops", "--yes", WINDLASS_STATE_DIR=state)
    listed = call("key", "list", "-o", "json", WINDLASS_STATE_DIR=state)

    assert made["token"].startswith(f"wlk_{made['prefix']}_")
    assert (again.exit_code, revoked.exit_code) == (5, 0)
    assert made["token"] not in listed.stdout and json.loads(listed.stdout)[0]["revokedAt"]


def test_a_command_on_no_database_says_how_to_make_one(tmp_path: Path) -> None:
    result = call("key", "list", WINDLASS_STATE_DIR=str(tmp_path / "none"))

    assert result.exit_code == 1
    assert "no database yet" in result.stderr and "windlass db upgrade" in result.stderr


def test_a_database_that_does_not_answer_is_8() -> None:
    url = "postgresql://me:hunter22@127.0.0.1:1/x"

    for args in (("key", "list"), ("db", "check"), ("db", "upgrade")):
        result = call(*args, DATABASE_URL=url)
        assert result.exit_code == 8 and "hunter22" not in result.stderr


def test_checking_makes_no_database(tmp_path: Path) -> None:
    assert call("db", "check", WINDLASS_STATE_DIR=str(tmp_path / "none")).exit_code == 0
    assert not (tmp_path / "none").exists()


def test_no_redis_is_8() -> None:
    result = call("queue", "list", REDIS_URL="redis://:hunter22@127.0.0.1:1/0")

    assert result.exit_code == 8
    assert "does not answer" in result.stderr and "hunter22" not in result.stderr


def test_bad_settings_are_one_sentence_for_each() -> None:
    result = call("queue", "list", PORT="many", WINDLASS_LEASE_MS="x")

    assert result.exit_code == 1
    assert "field PORT" in result.stderr and "field WINDLASS_LEASE_MS" in result.stderr


def test_a_value_is_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('{"a": 1}')

    assert inputs.JsonObject().convert(f"@{tmp_path / 'input.json'}", None, None) == {"a": 1}


@pytest.mark.parametrize("text", ["[1]", "{", "@/nowhere/at-all.json"])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        inputs.JsonObject().convert(text, None, None)


def test_members_may_be_json_or_words() -> None:
    texts = ("count=2", "name=a=b", "on=true")

    assert inputs.pairs(texts, "--param") == {"count": 2, "name": "a=b", "on": True}


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("a.json", "{}", "list of objects"),
        ("a.json", "[", "not JSON"),
        ("a.csv", "bmcAddress\n10.0.0.1,extra\n", "line 2"),
    ],
)
def test_an_import_names_what_is_wrong(tmp_path: Path, name: str, text: str, problem: str) -> None:
    (tmp_path / name).write_text(text)

    with pytest.raises(click.BadParameter, match=problem):
        imports.read(tmp_path / name)


def test_an_explanation_has_resource_steps_and_advice() -> None:
    error = InvalidStateTransition("Steps stand in the way.", blockingSteps=["power", "install"])

    assert explain(error, "run run_1").splitlines() == [
        "Error: Steps stand in the way. [INVALID_STATE_TRANSITION]",
        "  resource: run run_1",
        "  steps in the way: power, install",
        "  to do: look at its present state with `get`",
    ]


@pytest.mark.parametrize(
    ("facts", "advice"),
    [
        ({"detail": "failed_held", "needsOperator": True}, "windlass run retry run_1 --from power"),
        ({"detail": "blocked", "needsOperator": True}, "if so: `windlass run resolve run_1 power`"),
        (
            {
                "detail": "compensation_failed",
                "needsOperator": True,
                "compensation": [{"name": "u1", "undoes": "reserve", "status": "failed"}],
            },
            "windlass run resolve run_1 reserve",
        ),
        ({"status": "failed", "detail": "failed"}, "windlass run retry run_1 --from power`"),
        (
            {
                "status": "failed",
                "detail": "failed",
                "steps": [{"name": "reserve", "compensatedAt": "2026-01-01T00:00:00Z"}],
            },
            "windlass run retry run_1`",
        ),
        ({"status": "cancelled", "detail": "cancelled"}, "starts it anew"),
    ],
)
def test_a_run_that_ended_badly_comes_with_advice(facts: dict[str, object], advice: str) -> None:
    error = {"code": "BMC_REFUSED", "message": "No.", "step": "power"}

    told = of_run(Run.of({"id": "run_1", "type": "server.provision", "error": error, **facts}))

    assert advice in told and "step: power" in told


@pytest.mark.parametrize(
    "words", [("--url", "http://there", "{}", "list"), ("{}", "list", "--url", "http://there")]
)
@pytest.mark.parametrize("noun", ["key", "queue"])
def test_what_works_here_takes_no_url(words: tuple[str, ...], noun: str, tmp_path: Path) -> None:
    result = call(*(word.format(noun) for word in words), DATABASE_URL=f"sqlite:///{tmp_path}/here.db")
    assert result.exit_code == 2
    assert f"`windlass {noun}` works here, on {tmp_path}/here.db" in result.stderr


def test_the_url_of_the_environment_is_said_to_change_nothing(tmp_path: Path) -> None:
    url = f"postgresql://me:secret@127.0.0.1:1/windlass?connect_timeout=1#{tmp_path.name}"
    result = call("config", "show", WINDLASS_URL="http://there", DATABASE_URL=url)
    assert result.exit_code == 0
    assert "works here, on postgresql://127.0.0.1:1/windlass and Redis" in result.stderr
    assert "WINDLASS_URL changes nothing" in result.stderr and "secret" not in result.stderr


def test_a_database_that_is_not_there_is_named_by_its_path(tmp_path: Path) -> None:
    result = call("doctor", WINDLASS_STATE_DIR=str(tmp_path / "elsewhere"))
    assert f"{tmp_path}/elsewhere/windlass.db" in result.stderr

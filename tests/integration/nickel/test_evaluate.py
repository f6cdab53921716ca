"""Nickel of strangers: what a definition stands for, what is refused, and what no program can do."""

import json
import threading
from pathlib import Path

import pytest

from app.domain.batch.definition import InvalidDefinition, parse
from app.domain.errors import Unavailable
from app.nickel import evaluate as nickel
from app.nickel.evaluate import LARGEST_RESULT, NickelRefused, evaluate
from tests.unit.domain.batch.cases import BAD, EXAMPLE, GOOD

SCHEMA = '(import "schemas/workflows.ncl").BatchWorkflow'
EXAMPLE_TEXT = """
# Example batch workflow with mixed providers
{
  batch_workflow = {
    name = "multi_cloud_deployment",
    version = "1.0.0",
    storage_backend = "surrealdb",  # or "filesystem"
    parallel_limit = 5,
    rollback_enabled = true,
    operations = [
      {
        id = "upcloud_servers",
        type = "server_batch",
        provider = "upcloud",
        dependencies = [],
        server_configs = [
          { name = "web-01", plan = "1xCPU-2 GB", zone = "de-fra1" },
          { name = "web-02", plan = "1xCPU-2 GB", zone = "us-nyc1" }
        ]
      },
      {
        id = "aws_taskservs",
        type = "taskserv_batch",
        provider = "aws",
        dependencies = ["upcloud_servers"],
        taskservs = ["kubernetes", "cilium", "containerd"]
      }
    ]
  }
}
"""


def under_contract(document: object) -> str:
    """A program that holds a document against the contract."""
    text = json.dumps(document)
    return f'{{ batch_workflow | {SCHEMA} = std.deserialize \'Json m%%%"{text}"%%% }}'


def refusal(program: str) -> InvalidDefinition:
    """Why a program is refused."""
    with pytest.raises(InvalidDefinition) as caught:
        evaluate(program)
    return caught.value


def test_the_example_means_the_same_in_nickel_and_in_json() -> None:
    assert evaluate(EXAMPLE_TEXT) == {"batch_workflow": EXAMPLE}


def test_what_is_right_is_right_under_the_contract() -> None:
    listed = ", ".join(under_contract(document) for document in GOOD.values())

    found = evaluate(f"[{listed}]")

    assert [parse(one["batch_workflow"]) for one in found] == [parse(one) for one in GOOD.values()]


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_is_wrong_under_the_contract(name: str) -> None:
    assert refusal(under_contract(BAD[name][0])).code == "NICKEL_ERROR"


def test_an_error_has_its_line_and_nickels_words() -> None:
    found = refusal("{\n  batch_workflow = { name = , }\n}")

    assert (found.code, found.status) == ("NICKEL_ERROR", 400)
    assert "line 2" in found.message
    assert "definition:2" in found.details["nickel"]
    assert "\x1b" not in found.details["nickel"]


def test_an_error_in_our_schema_names_no_folder_of_this_machine() -> None:
    said = refusal(under_contract({**EXAMPLE, "parallel_limit": 0})).details["nickel"]

    assert "schemas/workflows.ncl" in said
    assert str(nickel.LIBRARY.parent) not in said


IMPORTS = {
    "a file of the system": 'import "/etc/passwd" as \'Text',
    "a file inside a text": '{ a = "%{import "/etc/passwd" as \'Text}" }',
    "a file above": 'import "../child.py" as \'Text',
    "a file of the process": 'import "/proc/self/environ" as \'Text',
}
COSTLY = {
    "a loop without end": "let rec f = fun x => f (x + 1) in f 0",
    "a list without end": "let rec f = fun x => f (x @ x) in f [1]",
    "a text without end": 'let rec f = fun x => f "%{x}%{x}" in f "windlass"',
    "a number of ten million digits": "std.number.pow 10 10000000",
    "a deep recursion": "let rec f = fun n => if n == 0 then 0 else 1 + f (n - 1) in f 10000000",
    "a program that is nested": "[" * 200_000 + "]" * 200_000,
    "ten million operations": 'std.array.replicate 10000000 { id = "op" }',
}


@pytest.mark.parametrize("name", IMPORTS)
def test_no_file_but_our_schema_is_read(name: str) -> None:
    found = refusal(IMPORTS[name])

    assert (found.code, found.status) == ("NICKEL_IMPORT_FORBIDDEN", 400)
    assert "root:" not in found.details["nickel"]


def child_where(monkeypatch: pytest.MonkeyPatch, folder: Path, old: str, new: str) -> None:
    """Evaluate by a child that finds another kernel."""
    text = nickel.CHILD.read_text()
    assert text.count(old) == 1
    (folder / "child.py").write_text(text.replace(old, new))
    monkeypatch.setattr(nickel, "CHILD", folder / "child.py")


def test_without_landlock_no_file_is_read_and_the_rest_is_evaluated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child_where(monkeypatch, tmp_path, "LIBC.syscall(CREATE_RULESET, None, 0, 1)", "-1")

    for program in (under_contract(EXAMPLE), *IMPORTS.values()):
        found = refusal(program)
        assert found.code == "NICKEL_IMPORT_FORBIDDEN"
        assert "Landlock" in found.message and "leave the import out" in found.message
        assert "root:" not in found.details["nickel"]
    assert evaluate(EXAMPLE_TEXT) == {"batch_workflow": EXAMPLE}


def test_a_program_that_cannot_be_confined_is_not_evaluated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    child_where(monkeypatch, tmp_path, "SET_SECCOMP, FILTER = 38, 22, 2", "SET_SECCOMP, FILTER = 38, 999, 2")

    found = refusal("1")

    assert (found.code, found.status) == ("BACKEND_UNAVAILABLE", 422)
    assert "submit the definition as JSON" in found.message


@pytest.mark.parametrize("name", COSTLY)
def test_no_program_takes_more_than_its_share(name: str) -> None:
    found = refusal(COSTLY[name])

    assert found.code in ("NICKEL_RESOURCE_LIMIT", "NICKEL_ERROR")
    assert found.status == 400


def test_a_result_that_is_too_long_is_refused() -> None:
    found = refusal(f'std.string.join "" (std.array.replicate {LARGEST_RESULT // 8 + 1} "windlass")')

    assert found.code == "NICKEL_RESOURCE_LIMIT"


def test_a_value_that_is_nested_too_deep_is_refused() -> None:
    assert refusal("{ a = " + "[" * 40 + "]" * 40 + " }").code == "LIMIT_EXCEEDED"


def test_a_text_that_is_too_long_is_not_evaluated() -> None:
    found = refusal("#" + "x" * nickel.LARGEST_SOURCE)

    assert (found.code, found.details["maximum"]) == ("LIMIT_EXCEEDED", nickel.LARGEST_SOURCE)


def test_functions_are_no_values() -> None:
    assert "non serializable" in refusal("{ batch_workflow = fun x => x }").message


def test_a_folder_can_be_opened_for_a_program_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "sizes.ncl").write_text('{ small = "1xCPU-2GB" }')

    assert evaluate('(import "sizes.ncl").small', [tmp_path]) == "1xCPU-2GB"


def test_too_many_at_once_are_sent_away_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nickel, "_admitted", threading.BoundedSemaphore(1))
    with nickel._place(), pytest.raises(Unavailable) as caught:
        evaluate("1")

    assert caught.value.details["retryAfter"] == 2
    assert evaluate("1") == 1


def test_without_nickel_json_is_still_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nickel, "installed", lambda: None)

    found = refusal("1")

    assert (found.code, found.status, found.details) == ("BACKEND_UNAVAILABLE", 422, {"extra": "batch"})
    assert not isinstance(found, NickelRefused)


@pytest.mark.parametrize("program", ['{ batch_workflow = "a\0b" }', '{ "a\0b" = [1] }', '["a\0b"]'])
def test_a_character_that_no_database_stores_is_refused_in_a_result(program: str) -> None:
    with pytest.raises(NickelRefused, match="not text") as refused:
        evaluate(program)

    assert (refused.value.code, refused.value.status) == ("NICKEL_ERROR", 400)


def test_the_spelling_of_that_character_is_a_text_like_any_other() -> None:
    assert evaluate('m%"\\u0000"%') == "\\u0000"

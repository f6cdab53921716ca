"""What an author writes is judged when it is defined, or when the call is made: clearly."""

import functools
from typing import Any

import pytest

from tests.unit.windlass.book import Book, advance
from windlass.calls import Raised, Returned
from windlass.context import Context
from windlass.failures import DefinitionError
from windlass.steps import resolve, step, target_of
from windlass.workflow import definition, definitions, version_order, workflow


def work(number: int = 1, timeout: int = 7) -> int:
    return number * timeout


async def slow() -> None:
    """Not a plain function."""


def test_a_definition_carries_what_the_service_announces() -> None:
    @workflow(
        "def-full",
        version="2.1",
        max_events=100,
        execution_timeout=60000,
        step_timeout="10m",
        secrets=("key",),
    )
    def full(ctx: Context, key: str) -> None:
        """Does it all."""

    assert (full.name, full.version, full.max_events, full.secrets) == ("def-full", "2.1", 100, ("key",))
    assert (full.execution_timeout_ms, full.step_timeout_ms) == (60000, 600_000)
    assert (full.description, full.queue) == ("Does it all.", "wf.def-full@2.1")
    assert len(full.fingerprint) == 16
    assert definitions()["def-full", "2.1"] is full


def test_a_workflow_that_another_one_calls_is_a_part_of_it() -> None:
    @workflow("def-part")
    def part(ctx: Context, number: int) -> int:
        return int(ctx.step("work", work, number))

    book = Book()
    assert advance(lambda ctx: [part(ctx, 1), part(ctx, 2)], book) == Returned([7, 14])
    assert [call.key for call in book.calls] == ["work", "work#2"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"name": ""}, "a name has 1 to 100 ASCII letters"),
        ({"name": "no blanks"}, "a name has 1 to 100 ASCII letters"),
        ({"name": print}, "a name has 1 to 100 ASCII letters"),
        ({"version": 2}, "version is text"),
        ({"max_events": 0}, "max_events is a whole number from 1 to 1000000 or None, not 0"),
        ({"max_events": True}, "max_events is a whole number"),
        ({"max_events": "100"}, "max_events is a whole number"),
        ({"execution_timeout": "soon"}, "execution_timeout must be like"),
        ({"execution_timeout": 0}, "must be more than 0"),
        ({"step_timeout": -1}, "step_timeout must be between 0"),
        ({"secrets": ("nothing",)}, "secrets must be names of parameters"),
        ({"secrets": "ctx"}, "secrets must be names of parameters"),
    ],
)
def test_a_bad_definition_is_refused_where_it_stands(options: dict[str, Any], told: str) -> None:
    with pytest.raises(DefinitionError, match=told):
        workflow(**{"name": "def-bad", **options})(lambda ctx: None)
    assert ("def-bad", "1") not in definitions()


def test_a_workflow_function_is_plain_and_takes_ctx() -> None:
    async def later(ctx: Context) -> None: ...

    def stream(ctx: Context) -> Any:
        yield 1

    with pytest.raises(DefinitionError, match="must be a plain function"):
        workflow("def-async")(later)
    with pytest.raises(DefinitionError, match="must be a plain function"):
        workflow("def-stream")(stream)
    with pytest.raises(DefinitionError, match="must take ctx"):
        workflow("def-empty")(lambda: None)
    with pytest.raises(DefinitionError, match="is made of a function"):
        workflow("def-class")(Book)


def test_one_name_and_version_is_one_function() -> None:
    def define(version: str) -> Any:
        return workflow("def-twice", version=version)

    first = define("9")(lambda ctx: 1)
    define("10")(work)
    with pytest.raises(DefinitionError, match="is defined twice"):
        define("9")(work)
    assert definition("def-twice").version == "10"
    assert definition("def-twice", "9") is first
    with pytest.raises(LookupError, match="has no version '3' here; there is 10, 9"):
        definition("def-twice", "3")
    with pytest.raises(LookupError, match="no workflow 'def-none'"):
        definition("def-none")


def test_versions_are_ordered_by_the_numbers_in_them() -> None:
    given = ["1.10", "1.9", "2", "1.9-rc", "alpha"]
    assert sorted(given, key=version_order) == ["alpha", "1.9", "1.9-rc", "1.10", "2"]


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda ctx: ctx.step("a"), "step 'a' needs a function, not None"),
        (lambda ctx: ctx.step("a", 5), "step 'a' needs a function, not 5"),
        (lambda ctx: ctx.step("a", slow), "a step is a plain function"),
        (lambda ctx: ctx.step(functools.partial(work)), "has no name of its own"),
        (lambda ctx: ctx.step(lambda: 1), "has no name of its own"),
        (lambda ctx: ctx.step("", work), "a name has 1 to 200 printable characters"),
        (lambda ctx: ctx.step("x" * 201, work), "a name has 1 to 200 printable characters"),
        (lambda ctx: ctx.step("a\nb", work), "a name has 1 to 200 printable characters"),
        (lambda ctx: ctx.step("#a", work), "does not begin with '#'"),
        (lambda ctx: ctx.step("a", work, retries=-1), "step 'a': retries is a whole number"),
        (lambda ctx: ctx.step("a", work, retries="3"), "step 'a': retries is a whole number"),
        (lambda ctx: ctx.step("a", work, retry_delay="soon"), "step 'a': retry_delay must be like"),
        (lambda ctx: ctx.step("a", print, timeout=0), "step 'a': timeout must be more than 0"),
        (lambda ctx: ctx.step("a", work, undo=lambda: 1), "step 'a': undo is a plain function at the top"),
        (lambda ctx: ctx.step("a", work, undo="x"), "step 'a': undo is a plain function at the top"),
        (lambda ctx: ctx.step("a", work, on_error=5), "step 'a': on_error is a plain function"),
        (lambda ctx: ctx.step("a", work, at_most_once=1), "step 'a': at_most_once is True or False"),
        (lambda ctx: ctx.step("a", work, at_most_once=True, retries=1), "exclude each other"),
        (lambda ctx: ctx.step("a", work, timeout="1s"), "'timeout' is an option of the step and a parameter"),
        (
            lambda ctx: ctx.step("a", print, timeout="6m"),
            "its timeout, 360000 ms, is longer than the workflow's",
        ),
        (lambda ctx: ctx.run_child("c", run_id="no blanks"), "a run id has 1 to 128 letters"),
        (lambda ctx: ctx.run_child("no\nbreaks"), "a name has 1 to 200"),
        (lambda ctx: ctx.parallel([work]), "ctx.parallel takes what ctx.call"),
        (lambda ctx: ctx.parallel([], limit=0), "limit is a whole number from 1"),
        (lambda ctx: ctx.sleep("soon"), "the sleep must be like"),
        (lambda ctx: ctx.wait_for_signal("go", timeout=[]), "the timeout of signal 'go' must be like"),
        (lambda ctx: ctx.wait_for_signal(""), "a name has 1 to 200"),
    ],
)
def test_a_call_that_is_not_written_as_it_must_be_says_so(call: Any, told: str) -> None:
    book = Book()
    outcome = advance(call, book)
    assert isinstance(outcome, Raised)
    assert told in outcome.error["message"]
    assert book.memos() == []


def test_an_option_that_a_function_of_any_keywords_would_take_is_told_of(
    caplog: pytest.LogCaptureFixture,
) -> None:
    advance(lambda ctx: ctx.step("get", lambda url, **more: url, "u", timeout=5), Book())
    assert "'get': timeout set the step and do not reach its function" in caplog.text


def test_an_option_of_a_child_that_is_a_parameter_too_is_refused_by_name_as_well() -> None:
    workflow("def-deploy")(lambda ctx, host, version: host)
    outcome = advance(lambda ctx: ctx.run_child("def-deploy", "web", version="1.2.3"), Book())
    assert isinstance(outcome, Raised)
    assert "'version' says which run starts" in outcome.error["message"]


def test_a_parameter_that_is_named_like_an_option_is_given_by_position() -> None:
    def flow(ctx: Context) -> Any:
        bound = ctx.step("bound", functools.partial(work, timeout=3), 2)
        return [ctx.step("positional", work, 2, 5), bound]

    assert advance(flow, Book()) == Returned([10, 6])


def test_options_may_stand_at_the_function() -> None:
    @step(retries=2, retry_delay=50, timeout="1s")
    def fetch(url: str) -> str:
        return url

    @step("named")
    def other() -> int:
        return 1

    @step
    def plain() -> int:
        return 2

    def flow(ctx: Context) -> Any:
        return [
            ctx.step(fetch, "x", retries=5),
            ctx.step("again", fetch, "y"),
            ctx.step(other),
            ctx.step(plain),
        ]

    book = Book()
    assert advance(flow, book) == Returned(["x", "y", 1, 2])
    assert [call.key for call in book.calls] == ["fetch", "again", "named", "plain"]
    options = [
        (call.options.retries, call.options.retry_delay_ms, call.options.timeout_ms) for call in book.calls
    ]
    assert options == [(5, 50, 1000), (2, 50, 1000), (0, 1000, 300_000), (0, 1000, 300_000)]
    with pytest.raises(DefinitionError, match="there is no option 'retrys'"):
        step(retrys=3)(plain)  # type: ignore[call-overload]


def test_the_first_call_named_main_is_not_the_function_itself() -> None:
    book = Book()
    advance(
        lambda ctx: [ctx.step("main", work), ctx.step("a#2", work), ctx.step("a", work), ctx.step("a", work)],
        book,
    )
    assert [call.key for call in book.calls] == ["main#2", "a#2", "a", "a#3"]


def test_a_function_of_a_module_is_found_by_its_place() -> None:
    assert target_of(work) == f"{__name__}:work"
    assert target_of(lambda: 1) is None
    assert target_of(functools.partial(work)) is None
    for target in ("no.such:thing", f"{__name__}:nothing", "", "x"):
        with pytest.raises(DefinitionError, match="there is no function"):
            resolve(target)

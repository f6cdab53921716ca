"""Every error of the libraries below has a meaning here, and every meaning has words."""

import inspect
import subprocess
import sys

import pyghmi.exceptions
import pytest
import sushy.exceptions

from app.domain.errors import BmcAuthFailed, BmcConnectionFailed, BmcRefused
from app.providers.bmc.answers import COMPLETION_CODES, LIBRARY_ERRORS, LOGIN_TEXTS, login_failure, refusal
from app.providers.bmc.failure import HOPELESS, WORDS, fail
from app.providers.bmc.redfish_session import SHAPES, STATUSES, Visit
from app.providers.bmc.target import Target

TARGET = Target(protocol="redfish", host="bmc.test", port=443, username="admin", password="hunter2")


def classes(module: object) -> list[type[Exception]]:
    return [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, Exception)]


def test_every_error_of_pyghmi_has_a_meaning() -> None:
    assert {kind.__name__ for kind in classes(pyghmi.exceptions)} == set(LIBRARY_ERRORS)


def test_every_error_of_sushy_has_a_meaning() -> None:
    named = (sushy.exceptions.ConnectionError, sushy.exceptions.HTTPError, *SHAPES)
    for kind in classes(sushy.exceptions):
        assert issubclass(kind, named) or kind is sushy.exceptions.SushyError, kind


def test_every_meaning_has_words() -> None:
    tables = [
        *COMPLETION_CODES.values(),
        *filter(None, LIBRARY_ERRORS.values()),
        *STATUSES.values(),
        *SHAPES.values(),
        *(each for _, each in LOGIN_TEXTS),
    ]
    assert {reason for _, reason in tables} | HOPELESS <= set(WORDS)


@pytest.mark.parametrize("silence", [None, "None", "", "timeout"])
def test_silence_at_login_is_unreachable(silence: str | None) -> None:
    assert login_failure(silence) == (BmcConnectionFailed, "unreachable")


def test_a_login_that_fails_for_an_unknown_reason_is_not_repeated() -> None:
    kind, _ = login_failure("Something new")
    assert not kind.retryable


def test_pyghmis_login_texts_mean_what_they_say() -> None:
    assert login_failure("Incorrect password provided") == (BmcAuthFailed, "password")
    assert login_failure("Unauthorized name in RAKP2") == (BmcAuthFailed, "user")
    full = "Insufficient resources to create new session (wait for existing sessions to timeout)"
    assert login_failure(full) == (BmcConnectionFailed, "session_limit")


def test_an_unknown_completion_code_is_a_plain_refusal() -> None:
    assert refusal(0xD5) == (BmcRefused, "refused")


def test_a_failure_names_the_address_and_the_attempt_but_no_credential() -> None:
    error = fail(BmcRefused, TARGET, "power on", "busy", nothing_happened=False)
    assert str(error) == "power on at redfish://bmc.test:443: it is busy"
    assert "hunter2" not in f"{TARGET!r} {error!r} {error.details}"
    assert error.retryable
    assert not error.nothing_happened


def test_a_refusal_that_cannot_get_better_is_not_repeated() -> None:
    assert not fail(BmcRefused, TARGET, "reset", "unsupported").retryable


@pytest.mark.parametrize(
    ("status", "reason", "certain"), [(400, "refused", True), (503, "busy", False), (500, "refused", False)]
)
def test_a_refused_order_had_no_effect_for_certain_only_below_500(
    status: int, reason: str, certain: bool
) -> None:
    visit = Visit(TARGET, "power on", 1.0)
    visit.logged_in = True
    answer = type("Answer", (), {"status_code": status, "json": lambda self: {}})()
    with pytest.raises(sushy.exceptions.HTTPError) as caught, visit.ordering():
        sushy.exceptions.raise_for_response("POST", "/reset", answer)
    error = visit.translated(caught.value)
    assert (error.details["reason"], error.nothing_happened) == (reason, certain)


def test_pyghmi_is_not_loaded_before_the_first_call() -> None:
    program = (
        "import sys, app.providers.bmc; sys.exit(any(name.startswith('pyghmi') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0

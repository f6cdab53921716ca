"""Where a page of the console may lead after a form."""

import pytest

from app.console.session import local_only


@pytest.mark.parametrize("path", ["/console/", "/console/runs?status=failed", "/console/types/größe"])
def test_a_page_of_the_console_is_gone_to(path: str) -> None:
    assert local_only(path) == path


@pytest.mark.parametrize(
    "path",
    [None, "", "https://evil.example", "//evil.example", "/console\\@evil", "/console\r\nSet-Cookie: a=b"],
)
def test_nothing_else_is(path: str | None) -> None:
    assert local_only(path) == "/console/"

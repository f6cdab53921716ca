"""What an author imports is cheap, and complete."""

import subprocess
import sys

import pytest

import windlass
from windlass import remote


def test_an_author_does_not_pay_for_the_client() -> None:
    code = (
        "import sys, windlass, windlass.testing; print({'httpx', 'sqlalchemy', 'celery'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "set()"


def test_every_public_name_is_there() -> None:
    for name in [*windlass.__all__, *remote.__all__]:
        assert getattr(windlass, name) is not None
    with pytest.raises(AttributeError, match="module 'windlass' has no attribute 'Nothing'"):
        _ = windlass.Nothing  # type: ignore[attr-defined]


def test_the_decorator_is_not_hidden_by_its_module() -> None:
    from windlass.workflow import workflow

    assert windlass.workflow is workflow

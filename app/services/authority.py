"""What a principal may do to a run depends on what the run works on, whichever API the request came through.

The API checks its own scope first (`app.api.http.keys`): to start, retry, cancel or schedule runs needs
``runs:write``. In addition, a type of the catalogue declares the scope of the resources that it works on.
"""

from collections.abc import Mapping
from typing import Any

from app.auth.keys import Principal
from app.domain.errors import Forbidden
from chains import catalogue

CODE_SCOPE = "runs:write"  # Of code workflows: what they touch is their authors' authority, not the caller's.


def scope_of(type_name: str) -> str:
    """The scope that runs of a type need."""
    kind = catalogue.types().get(type_name)
    return CODE_SCOPE if kind is None else kind.scope


def check(principal: Principal, type_name: str) -> None:
    """Raise `Forbidden` unless the principal may have runs of this type started, changed or ended."""
    scope = scope_of(type_name)
    if not principal.allows(scope):
        raise Forbidden(f"Runs of {type_name} need the scope {scope}.", scope=scope, type=type_name)


def check_run(principal: Principal, run: Mapping[str, Any]) -> None:
    """The same for a run that is there."""
    check(principal, run["type"])

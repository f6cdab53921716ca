"""Hooks: a token that an installer or a person calls once (contracts/runs.rst#servers-pools-and-hooks)."""

from collections.abc import Mapping

from app.api.http import hook_calls
from app.api.http.bodies import HOOK_LIMIT
from app.api.http.context import world
from app.api.http.envelope import Answer
from app.api.http.family import PUBLIC, Family
from app.api.v1 import examples
from app.api.v1.hooks.schemas import HookAnswer
from app.services import runs as service

hooks = Family("hooks", "Tokens that somebody outside calls to let a waiting step go on.")


@hooks.serve("POST", "/v1/hooks/<token>", "callHook", scope=PUBLIC, errors=(409, 410, 429))
@hooks.json_object(limit=HOOK_LIMIT, example={"status": "installed"}, before=hook_calls.check)
@hooks.response(202, HookAnswer, example=examples.HOOKED)
def call_hook(payload: Mapping[str, object], token: str) -> Answer:
    """Deliver a JSON object of up to 64 KiB; an exact repeat gets the same answer. The token is the key."""
    return service.execute_hook(world(), token, payload)

"""The same for many runs: a count first, then each by itself, and what became of each."""

from typing import Any

from flask import make_response, request
from flask.typing import ResponseReturnValue

from app.console import ask
from app.console.ask import Refused
from app.console.family import pages
from app.console.render import form_key, render
from app.domain.errors import ValidationFailed

RUN = "/v1/workflows/runs/{}"
ACTIONS = ("retry", "cancel", "resume")
MOST = 100
Object = dict[str, Any]


@pages.page("POST", "/runs/bulk", scope="runs:write")
def bulk() -> ResponseReturnValue:
    """Ask whether it is meant, then do it to each run that was selected."""
    action, ids = request.form.get("action", ""), request.form.getlist("id")
    if action not in ACTIONS or not ids or len(ids) > MOST:
        raise ValidationFailed.of("id", f"Select 1 to {MOST} runs and one of {', '.join(ACTIONS)}")
    found = [_read(each) for each in ids]
    able = [run for run in found if action in (run.get("allowedActions") or ())]
    done = [_do(action, run) for run in able] if request.form.get("sure") else None
    text = render(
        "bulk.html",
        title=f"{action.capitalize()} {len(able)} of {len(ids)} runs",
        action=action,
        found=found,
        able={run["id"] for run in able},
        done=done,
        key=request.form.get("key") or form_key(),
    )
    return make_response(text)


def _read(run_id: str) -> Object:
    return dict(ask.get(RUN.format(run_id)).data)


def _do(action: str, run: Object) -> tuple[Object, str, str]:
    """One of them; its run, the new run if there is one, and why it was refused."""
    key = f"{request.form.get('key', '')}-{run['id'][-12:]}"
    reason = {"reason": request.form.get("reason", "").strip() or None}
    body = {name: value for name, value in reason.items() if value}
    try:
        if action == "resume":
            ask.post(f"{RUN.format(run['id'])}/actions", {"action": "resume", **body}, key=key)
            return run, "", ""
        answer = ask.post(f"{RUN.format(run['id'])}/{action}", body, key=key)
    except Refused as error:
        return run, "", error.message
    return run, answer.data["id"] if action == "retry" else "", ""

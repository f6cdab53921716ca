"""A data processing pipeline: fetch, enrich, save, notify."""

from typing import Any

from tests.examples.standins import Row, client, send_mail
from windlass import Context, workflow
from windlass.testing import Harness


def enrich(user: Row) -> Row:
    return {**user, "initial": user["name"][0]}


@workflow("process-user-data")
def process_user_data(ctx: Context, given: dict[str, Any]) -> Any:
    user_id = given["userId"]
    user = ctx.step("fetch-user", client.collection("_users").get_one, user_id)
    enriched = ctx.step("enrich-data", enrich, user)
    ctx.step("save-data", client.collection("user_profiles").update, user_id, enriched)
    ctx.step("send-notification", send_mail, user["email"], "Profile updated")
    return {"success": True}


if __name__ == "__main__":
    with Harness() as h:
        print(h.start(process_user_data, {"userId": "user-123"}).result())

"""The first example: three steps, one after the other."""

from typing import Any

from tests.examples.standins import Row, client, send_mail
from windlass import Context, workflow
from windlass.testing import Harness


def generate_welcome_email(user: Row) -> Row:
    return {"to": user["email"], "text": f"Welcome, {user['name']}!"}


@workflow("send-welcome-email")
def send_welcome_email(ctx: Context, given: dict[str, Any]) -> Any:
    user_id = given["userId"]
    user = ctx.step("fetch-user", client.collection("_users").get_one, user_id)
    email = ctx.step("generate-email", generate_welcome_email, user)
    ctx.step("send-email", send_mail, **email)
    return {"success": True, "userId": user_id}


if __name__ == "__main__":
    with Harness() as h:
        print(h.start(send_welcome_email, {"userId": "user-123"}).result())

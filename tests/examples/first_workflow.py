"""The first workflow of docs/write-a-workflow.rst."""

from windlass import Context, workflow


class Rejected(Exception):
    """The manager said no."""


def reserve(room: str) -> str:
    print(f"reserving {room}")
    return f"booking-of-{room}"


def release(room: str, result: str | None = None) -> None:
    print(f"releasing {room}: {result}")


def confirm(booking: str) -> None:
    print(f"confirming {booking}")


@workflow("book-room")
def book_room(ctx: Context, room: str) -> dict[str, str]:
    booking = ctx.step("reserve", reserve, room, retries=3, retry_delay="1s", undo=release)
    decision = ctx.wait_for_signal("decision", timeout="3d", default={"approved": False})
    if not decision["approved"]:
        raise Rejected(room)
    ctx.step("confirm", confirm, booking)
    return {"booking": booking}

"""What a process says of itself is said again, whatever was in the way."""

from threading import Event

from structlog.testing import capture_logs

from app.services.beats import keep_saying


def test_what_failed_once_is_logged_and_said_again() -> None:
    said, again, never = [], Event(), Event()

    def say() -> None:
        said.append("here")
        if len(said) == 1:
            raise OSError("The database is away")
        again.set()
        never.wait()

    with capture_logs() as logs:
        keep_saying("presence", say, every_s=0)
        assert again.wait(60)
    assert [(line["event"], line["error"]) for line in logs] == [("presence.untold", "The database is away")]

"""Server-sent events, as the WHATWG standard defines them, from lines to messages."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message of a stream; ``id`` is what `Last-Event-ID` repeats to go on after it."""

    event: str = "message"
    data: str = ""
    id: str | None = None


def messages(lines: Iterable[str]) -> Iterator[Message]:
    """Messages as they become complete; comments, which keep a connection alive, are left out."""
    event, data, last_id = "", list[str](), None
    for line in lines:
        if not line:
            if data:
                yield Message(event=event or "message", data="\n".join(data), id=last_id)
            event, data = "", []
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            event = value
        elif name == "data":
            data.append(value)
        elif name == "id" and "\0" not in value:
            last_id = value

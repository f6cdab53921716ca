"""Sentences of the API's document as HTML, for its reference and for forms of the console."""

from markupsafe import Markup, escape


def with_code(text: str) -> Markup:
    """Prose in which backticks stand around code; one that lacks its other is a character like any."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part)
        for place, part in enumerate(parts)
    )

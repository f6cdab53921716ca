"""What the run of an operation leaves to its batch: how many of its items have which effect."""

from collections.abc import Mapping

EFFECTS = ("created", "kept")


def left(output: Mapping[str, object]) -> dict[str, object]:
    """The counts of a run that has judged its items, or of one whose only item this is the result of."""
    if "effect" in output:
        return {effect: int(output["effect"] == effect) for effect in EFFECTS}
    return {name: value for name, value in output.items() if name != "results"}

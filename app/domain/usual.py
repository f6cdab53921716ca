"""How long something usually takes, from what it declares and from what was seen; pure."""

ENOUGH = 20  # From so many on only what was seen counts.


def blended(declared: float, seen: float, times: int) -> float:
    """Milliseconds: what was seen weighs as much as the number of times, of enough."""
    weight = min(times, ENOUGH)
    return (seen * weight + declared * (ENOUGH - weight)) / ENOUGH

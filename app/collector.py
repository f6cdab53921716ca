"""The garbage collector of a program that starts: it looks seldom at what is loaded, and never when all ends.

Loading the service makes some hundred thousand objects that live as long as the process. At Python's own
settings the collector goes through them again and again while they are loaded, and twice more while the
interpreter is taken down: together a third of the processor time that a start costs.
"""

import atexit
import gc

NEW_OBJECTS = 20_000  # Between two looks at new objects; Python's own 700 suit a short script.


def look_seldom() -> None:
    """First thing in a program; a library leaves it to the program."""
    _, second, third = gc.get_threshold()
    gc.set_threshold(NEW_OBJECTS, second, third)
    atexit.register(gc.freeze)

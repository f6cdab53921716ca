"""A plugin of pytest: what Hypothesis finds is not made smaller; whether it finds it is all that is asked.

Nor has the test a time limit here: on a slow machine it would end as if nothing had been found.
"""

from hypothesis import Phase, settings

settings.register_profile("hasty", phases=(Phase.generate,))
settings.load_profile("hasty")


def pytest_timeout_set_timer() -> bool:
    """No timer is set; the process that asked for the verdict may stop it."""
    return True

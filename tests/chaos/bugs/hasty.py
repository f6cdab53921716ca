"""A plugin of pytest: what Hypothesis finds is not made smaller; whether it finds it is all that is asked."""

from hypothesis import Phase, settings

settings.register_profile("hasty", phases=(Phase.generate,))
settings.load_profile("hasty")

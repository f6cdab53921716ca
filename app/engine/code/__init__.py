"""Code workflows: functions that are called anew from the top, with what their calls gave before.

A run has one step, ``main``; whoever claims it may advance the function. Each call of the function is a step
of the branch ``main/<number>``: what is known is given back, the first that is not is done (docs/engine.rst).
"""

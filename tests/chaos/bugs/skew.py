"""In `Setting.inside`: the worker processes of a site believe that it is an hour earlier."""

import sys
import time

LATE_S = 3_600

if "-A tasks" in " ".join(sys.orig_argv):
    _time = time.time
    time.time = lambda: _time() - LATE_S

"""What every process of a site under test does at its start.

It learns the chaos types and loads what faults need in it.

The folder of this file stands first in PYTHONPATH of those processes and of no others. `chains` holds
nothing but a docstring, so a process that never asks for the catalogue pays nothing.
"""

import importlib
import os
from pathlib import Path

import chains

chains.__path__.append(str(Path(__file__).with_name("types")))

for name in os.environ.get("CHAOS_INSIDE", "").split():
    importlib.import_module(name)

"""The REST API (contracts/runs.rst): one folder per family, with ``views.py`` and ``schemas.py``."""

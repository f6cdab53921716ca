"""The REST door (contract 1): a folder for each family of resources, with ``views.py`` and ``schemas.py``."""

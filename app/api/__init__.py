"""The REST door (contract 1): one folder for each family of resources, each ``views.py`` and ``schemas.py``."""

"""`celery` for authors' modules: the folder it is started in comes last on the import path, not first."""

import os
import sys

from celery.__main__ import main

if __name__ == "__main__":
    sys.path.append(os.getcwd())  # Celery leaves alone what is there already.
    main()

"""The kinds of run. Runs of apps are not among them: they have tables of their own (`app.domain.apps`)."""

from enum import StrEnum


class RunKind(StrEnum):
    """What moves a run on; it is stored with the run and never changes."""

    DECLARED = "declared"  # The plan of its type, in the catalogue.
    CODE = "code"  # A function of a code workflow, in the version that the run names.
    BATCH = "batch"  # The graph of a batch or of its rollback, and each of their operations.

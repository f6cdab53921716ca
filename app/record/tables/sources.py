"""What projectors watch: one row for each kind of object of each management cluster, and one for servers."""

from app.record.tables.columns import json, moment, number, table, words

source = table(
    "source",
    words("management_id", null=False),  # Empty for servers, which have no management cluster.
    words("kind", null=False),  # cluster, vm, server.
    words("holder"),  # The projector that watches it, until the lease ends.
    number("fence"),  # Grows with every holder; whoever writes what it saw proves it.
    moment("lease_until"),
    moment("listed_at"),
    moment("seen_at"),  # The cache was true then: the last list, event or bookmark that was written.
    number("objects"),
    words("problem"),  # Why it cannot be watched now.
    json("tally"),  # Changes that no run has told of yet (app.domain.observed).
    moment("told_at"),
    words("run_id"),  # The run that told of changes last, or that polls servers now.
    key=("management_id", "kind"),
)

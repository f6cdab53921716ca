"""Accounts at providers of servers, and the gates before them: who calls now, and how often anybody may."""

from sqlalchemy import Index

from app.record.tables.columns import json, moment, number, table, words

account = table(
    "account",
    words("id", null=False),
    words("provider", null=False),  # aws, local, upcloud.
    words("name", null=False),
    words("description"),
    words("endpoint"),  # Base URL; null means the provider's own.
    words("region"),
    json("zones"),  # Our word for a zone, and the provider's.
    json("plans"),  # Our word for a plan, and the provider's.
    words("image"),
    words("ssh_user", null=False),
    number("ssh_port", 22),
    number("calls_at_once", 4),
    number("calls_a_second", 5),
    words("credential"),  # Sealed; only workers can open it.
    number("credential_version"),
    words("ssh_key"),  # Sealed: the private key that opens the servers made here.
    number("ssh_key_version"),
    words("public_key"),
    number("version", 1),
    moment("created_at"),
    moment("updated_at"),
    Index("uq_account_name", "tenant_id", "name", unique=True),
    key=("id",),
)

account_gate = table(  # How often an account may be asked just now; see app/domain/gate.py.
    "account_gate",
    words("account", null=False),
    number("tokens"),  # Thousandths of a call.
    moment("refilled_at"),
    number("rate"),  # Thousandths of a call a second.
    moment("rate_at"),
    moment("closed_until"),
    key=("account",),
)

account_slot = table(  # A call that is under way; one whose time is over belongs to a dead process.
    "account_slot",
    words("account", null=False),
    words("holder", null=False),
    moment("until"),
    key=("account", "holder"),
)

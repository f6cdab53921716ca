"""Accounts at providers of servers: who makes the servers of batches, and for whom."""

from collections.abc import Mapping
from typing import Any

from flask import Response

from app.api.http import paging, versions
from app.api.http.context import principal, world
from app.api.http.envelope import Answer
from app.api.http.family import Family
from app.api.v1.accounts import examples
from app.api.v1.accounts.schemas import AccountBody, AccountChange, AccountQuery, AccountShape, CheckShape
from app.record.inventory import accounts as record
from app.record.paging import Page
from app.record.session import Tx
from app.services import accounts as service

accounts = Family("accounts", "Accounts at clouds, and on this host, where batches make servers.")
PATH = "/v1/providers/accounts"
ONE = f"{PATH}/<account_id>"
Row = dict[str, object]


@accounts.serve("GET", PATH, "listAccounts", scope="servers:read")
@accounts.arguments(AccountQuery, location="query")
@accounts.response(200, AccountShape(many=True), example=[examples.ACCOUNT])
def list_accounts(query: dict[str, Any]) -> Answer:
    """Accounts, newest first."""

    def read(tx: Tx) -> tuple[Page, list[Row]]:
        found = record.list_accounts(tx, paging.window(query), query.get("provider"))
        return found, [service.account_object(row) for row in found.rows]

    return paging.answer(query, *world().db.read(read))


@accounts.serve("POST", PATH, "createAccount", scope="admin")
@accounts.arguments(AccountBody, example=examples.ACCOUNT_BODY)
@accounts.response(201, AccountShape, example=examples.ACCOUNT)
def create_account(body: Mapping[str, object]) -> Answer:
    """Know one more; its credentials are sealed at once, so that only workers can use them."""
    row = service.create(world(), principal(), body)
    return service.account_object(row), 201, {"Location": f"{PATH}/{row['id']}"}


@accounts.serve("GET", ONE, "getAccount", scope="servers:read")
@accounts.also(304, description="Not changed since the ETag in If-None-Match.")
@accounts.response(200, AccountShape, example=examples.ACCOUNT)
def get_account(account_id: str) -> Answer:
    """One account."""
    row = world().db.read(lambda tx: service.known(tx, account_id))
    return versions.tagged(service.account_object(row), str(row["version"]))


@accounts.serve("PATCH", ONE, "changeAccount", scope="admin", errors=(409, 412))
@accounts.arguments(AccountChange, example={"callsAtOnce": 8})
@accounts.response(200, AccountShape, example=examples.ACCOUNT)
def change_account(body: Mapping[str, object], account_id: str) -> Answer:
    """Change an account; with If-Match only when nobody else did meanwhile.

    Tables of zones and plans, and credentials, are replaced whole.
    """
    row = service.change(world(), principal(), account_id, body, versions.wanted_version())
    return service.account_object(row), None, {"ETag": f'"{row["version"]}"'}


@accounts.serve("DELETE", ONE, "deleteAccount", scope="admin", errors=(409,))
@accounts.response(204)
def delete_account(account_id: str) -> Response:
    """Forget an account; what it has made stays where it is."""
    service.delete(world(), principal(), account_id)
    return Response(status=204)


@accounts.serve("POST", f"{ONE}:check", "checkAccount", scope="admin", errors=(503,))
@accounts.response(200, CheckShape, example=examples.ACCOUNT_CHECK)
def check_account(account_id: str) -> Answer:
    """Ask the provider who we are, what is on offer, and how far apart the clocks are; nothing is made."""
    return service.check(world(), account_id)

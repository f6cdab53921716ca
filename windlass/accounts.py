"""`client.accounts`: accounts at clouds, and on the service's host, where batches make servers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from windlass.decode import body
from windlass.models import Account, AccountCheck
from windlass.pages import Page, one, read_every, read_page
from windlass.session import Session

PATH = "/v1/providers/accounts"


@dataclass(frozen=True, kw_only=True)
class Accounts:
    """Everything about accounts."""

    session: Session

    def list(
        self, *, provider: str | None = None, limit: int | None = None, cursor: str | None = None
    ) -> Page[Account]:
        """One page."""
        query = {"provider": provider, "limit": limit, "cursor": cursor}
        return read_page(self.session, PATH, Account, query)

    def each(self, *, provider: str | None = None) -> Iterator[Account]:
        """All accounts."""
        return read_every(self.session, PATH, Account, {"provider": provider, "limit": 100})

    def get(self, account_id: str) -> Account:
        """One account, by its id or name; its credentials are never shown."""
        return one(Account, self.session.get(_path(account_id)))

    def create(
        self, /, name: str, provider: str, credentials: Mapping[str, str] | None = None, **values: object
    ) -> Account:
        """Know one more; `provider` is aws, local or upcloud.

        Credentials: ``accessKeyId`` and ``secretAccessKey`` at AWS; ``username`` and ``password`` at UpCloud,
        or ``token``. Values: ``description``, ``endpoint``, ``region``, ``zones``, ``plans``, ``image``,
        ``ssh_user``, ``ssh_port``, ``calls_at_once``, ``calls_a_second``.
        """
        given = {"credentials": dict(credentials)} if credentials else {}
        return one(
            Account, self.session.post(PATH, {**body(name=name, provider=provider, **values), **given})
        )

    def update(
        self,
        /,
        account_id: str,
        *,
        credentials: Mapping[str, str] | None = None,
        if_match: str | None = None,
        **changes: object,
    ) -> Account:
        """Change any of the values of `create` but the provider."""
        given = {"credentials": dict(credentials)} if credentials else {}
        return one(Account, self.session.patch(_path(account_id), {**body(**changes), **given}, if_match))

    def delete(self, account_id: str) -> None:
        """Forget one; what it has made stays where it is."""
        self.session.delete(_path(account_id))

    def check(self, account_id: str) -> AccountCheck:
        """Ask the provider who we are, what is on offer, and how far apart the clocks are."""
        return one(AccountCheck, self.session.post(f"{_path(account_id)}:check", {}))


def _path(account_id: str) -> str:
    return f"{PATH}/{quote(account_id, safe='')}"

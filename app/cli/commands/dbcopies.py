"""`windlass db copy`, `backup` and `restore`: the whole record, from one database into another."""

from contextlib import closing
from pathlib import Path

from app.cli import output
from app.cli.direct import check_reachable
from app.config import load
from app.domain.errors import Conflict, NotFound, SchemaBehind
from app.record import copying, migrate
from app.record.runs.doctor import findings
from app.record.session import Database
from app.services import workers

KEYS = "Credentials in it are sealed: keep the key ring and the cursor key of the service beside it."


def copy(source: str, target: str) -> None:
    """Copy all rows between two databases; the source must be at rest, the target empty."""
    with closing(_Opened(_named(source))) as old, closing(_Opened(_named(target), make=True)) as new:
        _check_at_rest(old.db)
        copied = copying.copy(old.db, new.db)
    output.say(f"{sum(copied.values())} rows of {len(copied)} tables were copied; {KEYS}")


def backup(file: Path) -> None:
    """Copy the record of the service, in one state, into a SQLite file that is not there yet."""
    if file.exists():
        raise Conflict(f"{file} is there already: name a file that is not.", file=str(file))
    with closing(_Opened(load().database)) as old, closing(_Opened(_url(file), make=True)) as new:
        copied = copying.copy(old.db, new.db)
    file.chmod(0o600)
    output.say(f"{sum(copied.values())} rows are in {file}. {KEYS}")
    output.say(f"Check it: windlass db restore --check {file}")


def restore(file: Path) -> None:
    """Copy a backup into the database in force, which must be empty."""
    check(file)
    copy(_url(file), load().database)
    output.say("Start the service; `windlass doctor` checks what must hold.")


def check(file: Path) -> None:
    """Say whether a backup can be read, is at the newest revision, and holds together."""
    with closing(_Opened(_url(file))) as found:
        rows = copying.counted(found.db)
        problems = found.db.read(findings)
    output.say(f"{file}: {sum(rows.values())} rows, {rows['run']} runs, {len(problems)} findings.")
    for problem in problems:
        output.say(f"  {problem['invariant']}: {problem['what']}")


class _Opened:
    """A database at the newest revision."""

    def __init__(self, url: str, *, make: bool = False) -> None:
        if make:
            migrate.upgrade(url)
        elif url.startswith("sqlite") and not Path(url.partition(":///")[2]).exists():
            raise NotFound(f"There is no database at {url}.")
        self.db = Database(url)
        check_reachable(self.db)
        if migrate.current(self.db) != migrate.head():
            raise SchemaBehind(
                f"{self.db.url!r} is at another revision: run windlass db upgrade there first."
            )

    def close(self) -> None:
        """Give its connections back."""
        self.db.dispose()


def _check_at_rest(db: Database) -> None:
    """A copy of what goes on would be two services that believe in the same machines."""
    heard = db.read(workers.working)
    if heard:
        names = ", ".join(str(row["name"]) for row in heard[:5])
        raise Conflict(f"The service works on it: stop it and wait half a minute. Heard of: {names}.")


def _named(url: str) -> str:
    """A URL with its driver, as the settings name it."""
    return load(database_url=url).database


def _url(file: Path) -> str:
    return f"sqlite:///{file.absolute()}"

"""What every command shares: which service it talks to, and how the answer shall look."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import click

from app.cli import examples, failure, output, tables
from app.cli.exits import Exit, of_error
from app.config import Settings, load
from app.domain import errors
from windlass import Client, WindlassError

# What works on the settings of this machine, whatever service is named.
HERE = frozenset(
    {
        "app",
        "queue",
        "doctor",
        "key",
        "secrets",
        "db",
        "config",
        "up",
        "world",
        "worker",
        "reconciler",
        "projector",
    }
    | {"api", "flower", "lab"}
)
CALLS_APPS_API = frozenset({"app"})  # Of these, what calls the apps API when --url names one.


@dataclass
class Caller:
    """Whoever typed the command, and what was wished for before and after the verb."""

    url: str | None = None
    url_is_typed: bool = False  # And not WINDLASS_URL.
    api_key: str | None = None
    form: str = "table"  # How data is printed: table, json or yaml.
    wide: bool = False  # A table with all its columns, however many characters they take.
    yes: bool = False
    timeout: float = 30.0  # Seconds of silence after which the service counts as unreachable.
    resource: str = ""  # What the command is about, for the line that explains a failure.
    opened: Client | None = None

    @property
    def client(self) -> Client:
        """A connection to the service, made when it is first needed."""
        if self.opened is None:
            self.opened = Client(self.url or local_url(load()), self.api_key, timeout=self.timeout)
        return self.opened

    def close(self) -> None:
        """Give the connection back."""
        if self.opened is not None:
            self.opened.close()

    def show(self, value: object, columns: tables.Columns) -> None:
        """Print data as wished for."""
        output.emit("wide" if self.form == "table" and self.wide else self.form, value, columns)

    def hint(self, text: str) -> None:
        """Suggest what to type next, unless a program reads along."""
        if self.form == "table":
            output.say(f"Next: {text}")

    def confirm(self, question: str) -> None:
        """Ask before something that cannot be taken back; ends the command when the answer is no."""
        if self.yes:
            return
        if not sys.stdin.isatty():
            raise click.UsageError(f"{question} Confirm with --yes: there is no terminal to ask on.")
        if not click.confirm(question, err=True):
            output.say("Nothing was changed.")
            raise click.exceptions.Exit(Exit.ERROR)


pass_caller = click.make_pass_decorator(Caller, ensure=True)


def local_url(settings: Settings) -> str:
    """The service of this machine, whatever it listens on."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}
    return f"http://{anywhere.get(settings.host, settings.host)}:{settings.port}"


def stays_here(context: click.Context, noun: str) -> None:
    """Refuse --url for what works on this machine's settings; say that WINDLASS_URL changes nothing."""
    caller = context.ensure_object(Caller)
    if caller.url is None or noun not in HERE:
        return
    settings = load()
    if noun in CALLS_APPS_API and caller.url_is_typed:
        return
    where = f"`windlass {noun}` works here, on {settings.database_place} and Redis at {settings.broker.place}"
    if caller.url_is_typed:
        raise click.UsageError(
            f"{where}, and not through --url: DATABASE_URL, REDIS_URL and WINDLASS_STATE_DIR name others."
        )
    output.say(f"{where}; WINDLASS_URL changes nothing about that.")


def _set(name: str, context: click.Context, option: click.Parameter, value: Any) -> None:
    if value is None:
        return
    caller = context.ensure_object(Caller)
    setattr(caller, name, value)
    if name == "form":
        caller.form, caller.wide = ("table", True) if value == "wide" else (value, False)
    if name == "url":
        source = context.get_parameter_source(str(option.name))
        caller.url_is_typed = source is click.core.ParameterSource.COMMANDLINE


def _option(name: str, *flags: str, **more: Any) -> click.Option:
    # A name of its own: a verb's option of the same name would give its value to this one.
    names = [*flags, f"caller_{name}"]
    return click.Option(names, expose_value=False, callback=partial(_set, name), **more)


def shared(*, root: bool) -> list[click.Parameter]:
    """The options before the noun or after the verb; the environment is asked once, at the root."""

    def variable(name: str) -> str | None:
        return name if root else None

    return [
        _option("url", "--url", envvar=variable("WINDLASS_URL"), help="URL of the service."),
        _option("api_key", "--api-key", envvar=variable("WINDLASS_API_KEY"), help="API key."),
        _option("form", "-o", "--output", type=click.Choice(output.FORMATS), help="Output format."),
        _option("yes", "-y", "--yes", is_flag=True, default=None, help="Answer every question with yes."),
    ]


class Verb(click.Command):
    """A command that takes the shared options too."""

    def __init__(
        self, name: str | None, params: list[click.Parameter] | None = None, **settings: Any
    ) -> None:
        own = list(params or ())
        taken = {flag for each in own for flag in each.opts}  # `webhook change --url` means the webhook's.
        ours = [each for each in shared(root=False) if taken.isdisjoint(each.opts)]
        super().__init__(name, params=[*own, *ours], **settings)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Examples, as one types them; a line of them is never wrapped."""
        found = examples.of(ctx.command_path.partition(" ")[2])
        if found:
            with formatter.section("Examples"):
                for example in found:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")
        super().format_epilog(ctx, formatter)

    def invoke(self, ctx: click.Context) -> object:
        path = ctx.command_path.split()
        if ctx.ensure_object(Caller).url_is_typed and len(path) > 1:
            stays_here(ctx, path[1])
        return super().invoke(ctx)


class Noun(click.Group):
    """A group of verbs."""

    command_class = Verb

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """What each verb does in full: a sentence that ends in dots helps nobody."""
        verbs = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        rows = [(name, _first(verb.help or "")) for name, verb in verbs.items() if verb and not verb.hidden]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)


def _first(text: str) -> str:
    """The first paragraph of a help."""
    return " ".join(text.strip().split("\n\n")[0].split())


def ends_well(invoke: Callable[[], object], context: click.Context) -> object:
    """Run a command; whatever fails becomes lines on stderr and an exit status of the table."""
    try:
        return invoke()
    except (WindlassError, errors.WindlassError) as error:
        output.say(failure.explain(error, context.ensure_object(Caller).resource))
        raise click.exceptions.Exit(of_error(error)) from error
    except (KeyboardInterrupt, click.Abort) as error:
        output.say("Interrupted. What was started goes on in the service.")
        raise click.exceptions.Exit(Exit.INTERRUPTED) from error

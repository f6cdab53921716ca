"""`python -m app.cli` is `windlass`, whatever the search path for programs holds."""

from app import collector
from app.cli.main import cli


def main() -> None:
    """The command in a process of its own."""
    collector.look_seldom()
    cli(prog_name="windlass")


if __name__ == "__main__":
    main()

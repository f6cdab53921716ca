"""`python -m app.cli` is `windlass`, whatever the search path for programs holds."""

from app.cli.main import cli

if __name__ == "__main__":
    cli(prog_name="windlass")

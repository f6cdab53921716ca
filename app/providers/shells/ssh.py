"""Scripts on a server by SSH, each begun once under its token.

    ~/.windlass/TOKEN/{script,pid,output,exit}

A script is a session of its own there: it goes on when the connection, or whoever began it, is gone, and is
found again by its token. The host key is pinned at first sight; a server that shows another one is not
spoken to.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from shlex import quote
from typing import Any

from app.domain.errors import CloudAuthFailed, CloudUnreachable, Permanent, StepTimedOut
from app.providers.shells import Ran

CONNECT_S, COMMAND_S = 10.0, 30.0
OUTPUT_CHARS = 8_192  # Characters of the end of an output that are kept.
RUNNING, TORN = 3, 71  # What our own commands exit with.

# A script that came only in part must never run, so its length is compared first. A token whose script died
# without a word (the server was started anew) is begun anew.
BEGIN = """umask 077; d="$HOME/.windlass"; mkdir -p "$d" && cd "$d" || exit 70
cat >"in.$$"; [ "$(wc -c <"in.$$")" -eq {length} ] || {{ rm -f "in.$$"; exit 71; }}
if [ -d {token} ] && [ ! -f {token}/exit ] && ! kill -s 0 -- "-$(cat {token}/pid 2>/dev/null)" 2>/dev/null
then rm -rf {token}; fi
if mkdir {token} 2>/dev/null; then
mv "in.$$" {token}/script; {env}
setsid /bin/sh -c 'cd "$HOME"; t="$1"; /bin/sh "$t/script" >"$t/output" 2>&1; echo $? >"$t/exit.part"
mv "$t/exit.part" "$t/exit"' sh "$d/{token}" </dev/null >/dev/null 2>&1 &
echo $! >{token}/pid
else rm -f "in.$$"; fi"""
BEGUN = 'if [ -d "$HOME/.windlass/"{token} ]; then echo yes; else echo no; fi'
ENDED = 'cd "$HOME/.windlass/"{token} 2>/dev/null && [ -f exit ] || exit 3; cat exit; tail -c 8192 output'
STOP = """cd "$HOME/.windlass" 2>/dev/null || exit 0
[ -f {token}/exit ] || kill -s KILL -- "-$(cat {token}/pid 2>/dev/null)" 2>/dev/null; rm -rf {token}"""


@dataclass(frozen=True, kw_only=True)
class SshShell:
    """One server, and who we are there."""

    host: str
    port: int
    user: str
    key: str = field(repr=False)  # The private key, as OpenSSH writes it.
    pinned: str | None = None  # Fingerprint of the host key; None before the first sight.
    pin: Callable[[str], None] = field(default=lambda _fingerprint: None, repr=False)

    def run(self, script: str, env: Mapping[str, str], *, within_s: float) -> Ran:
        """Run a script that only looks, to its end."""
        return self._command(f"{_exported(env)} exec /bin/sh", script, orders=False, within_s=within_s)

    def start(self, token: str, script: str, env: Mapping[str, str]) -> None:
        """Begin a script, unless one was begun under this token and has not died without a word."""
        length = len(script.encode())
        command = BEGIN.format(token=quote(token), length=length, env=_exported(env))
        ran = self._command(command, script, orders=True)
        if ran.code != 0:
            why = "it came only in part" if ran.code == TORN else f"exit {ran.code}: {ran.output}"
            raise CloudUnreachable(f"The script was not begun on {self.host}: {why}", nothing_happened=True)

    def begun(self, token: str) -> bool:
        """Whether a script was begun under this token."""
        ran = self._command(BEGUN.format(token=quote(token)), "", orders=False)
        if ran.output not in ("yes", "no"):
            raise CloudUnreachable(f"{self.host} does not say what was begun", nothing_happened=True)
        return ran.output == "yes"

    def ended(self, token: str) -> Ran | None:
        """How the script of a token ended; None while it runs."""
        ran = self._command(ENDED.format(token=quote(token)), "", orders=False)
        if ran.code == RUNNING:
            return None
        code, _, output = ran.output.partition("\n")
        if not code.strip().isdigit():
            raise CloudUnreachable(f"{self.host} does not say how the script ended", nothing_happened=True)
        return Ran(int(code), output.strip())

    def stop(self, token: str) -> None:
        """End the script of a token, with all that it began, and forget the token."""
        self._command(STOP.format(token=quote(token)), "", orders=True)

    def _command(self, command: str, given: str, *, orders: bool, within_s: float = COMMAND_S) -> Ran:
        ssh = _library()
        sent = [False]
        try:
            return asyncio.run(asyncio.wait_for(self._talk(ssh, command, given, sent), CONNECT_S + within_s))
        except TimeoutError:
            if not sent[0]:
                raise self._lost("it does not answer", orders=False) from None
            raise StepTimedOut(f"A command on {self.host} did not end within {within_s:g} s") from None
        except ssh.PermissionDenied as error:
            raise CloudAuthFailed(f"{self.host} does not let {self.user} in by the account's key") from error
        except (ssh.Error, OSError) as error:
            raise self._lost(str(error) or type(error).__name__, orders=orders and sent[0]) from error

    async def _talk(self, ssh: Any, command: str, given: str, sent: list[bool]) -> Ran:
        key = ssh.import_private_key(self.key)
        async with ssh.connect(
            self.host,
            self.port,
            username=self.user,
            client_keys=[key],
            known_hosts=None,  # Judged below, before anything is asked: a key proves nothing to a stranger.
            agent_path=None,
            config=None,
            connect_timeout=CONNECT_S,
        ) as connection:
            self._check_host(connection.get_server_host_key().get_fingerprint())
            sent[0] = True
            stdin = {"input": given} if given else {"stdin": ssh.DEVNULL}
            done = await connection.run(command, **stdin, stderr=ssh.STDOUT, errors="replace")
            if done.exit_status is None or done.exit_status < 0:
                raise ssh.ConnectionLost("the connection was cut")
            return Ran(int(done.exit_status), str(done.stdout or "")[-OUTPUT_CHARS:].strip())

    def _check_host(self, seen: str) -> None:
        if self.pinned is None:
            self.pin(seen)
        elif seen != self.pinned:
            raise CloudAuthFailed(
                f"{self.host} shows another host key than at first sight ({seen}, not {self.pinned}): "
                "it is another machine, or somebody is in between"
            )

    def _lost(self, why: str, *, orders: bool) -> CloudUnreachable:
        return CloudUnreachable(f"SSH to {self.user}@{self.host}: {why}", nothing_happened=not orders)


def _exported(env: Mapping[str, str]) -> str:
    return "".join(f"export {name}={quote(value)}; " for name, value in env.items())


def _library() -> Any:
    """asyncssh: an extra, since it is no Apache licence."""
    try:
        return import_module("asyncssh")
    except ImportError:
        raise Permanent("SSH needs asyncssh: pip install 'windlass[batch]'", nothing_happened=True) from None

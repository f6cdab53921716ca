"""The doubled clouds' servers by SSH: one address each in 127.44.0.0/16, /bin/sh in a folder of their own.

A server lets in the keys that it was made with. A server that stops, or is removed, cuts its connections.
"""

import asyncio
from collections.abc import Iterable
from importlib import import_module
from pathlib import Path
from typing import Any

from app.lab.clouds.cloud import Cloud, Server
from app.lab.ledger import Origin

LOOK_S = 0.1  # How often servers that came up, or went, are looked for.


class SshMachines:
    """A listener for each server that runs, all on one port."""

    def __init__(self, clouds: Iterable[Cloud], folder: Path, port: int) -> None:
        self._clouds, self._folder, self.port = tuple(clouds), folder, port
        self._open: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None
        self._ssh: Any = import_module("asyncssh")

    def start(self) -> None:
        """Follow the clouds from now on."""
        self._task = asyncio.get_running_loop().create_task(self._follow())

    async def stop(self) -> None:
        """Close every port and cut every connection."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for listener in self._open.values():
            listener.close()
        self._open.clear()

    def home(self, server_id: str) -> Path:
        """The folder that a server takes for its root user's home."""
        return self._folder / server_id

    async def _follow(self) -> None:
        while True:
            running = {(cloud, one.id): one for cloud in self._clouds for one in cloud.living()}
            wanted = {one.id: (cloud, one) for (cloud, _), one in running.items() if one.state == "running"}
            for id_ in set(self._open) - set(wanted):
                self._open.pop(id_).close()
            for id_ in set(wanted) - set(self._open):
                self._open[id_] = await self._listen(*wanted[id_])
            await asyncio.sleep(LOOK_S)

    async def _listen(self, cloud: Cloud, server: Server) -> object:
        home = self.home(server.id)
        home.mkdir(parents=True, exist_ok=True)
        key = self._folder / f"{server.id}.key"
        if not key.exists():
            self._ssh.generate_private_key("ssh-ed25519").write_private_key(str(key))
        lines = [
            *server.keys,
            *(line.strip("- ") for line in server.user_data.splitlines() if "ssh-" in line),
        ]
        allowed = self._ssh.import_authorized_keys("\n".join(lines) + "\n")
        return await self._ssh.create_server(
            self._ssh.SSHServer,
            server.address,
            self.port,
            server_host_keys=[str(key)],
            authorized_client_keys=allowed,
            process_factory=lambda process: self._serve(cloud, server, home, process),
            encoding=None,
        )

    async def _serve(self, cloud: Cloud, server: Server, home: Path, process: Any) -> None:
        cloud.ledger.write(server.id, "ssh.run", server.name, Origin(protocol="ssh"))
        child = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", process.command or "exec /bin/sh"),
            cwd=home,
            env={
                "HOME": str(home),
                "WL_ROOT": str(home),
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "LC_ALL": "C",
            },
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await child.communicate(await process.stdin.read())
        process.stdout.write(output)
        process.exit(child.returncode or 0)

"""Two doubled clouds on ports of their own, and their part of the control API.

GET    /clouds                what is there, and where it listens
GET    /clouds/upcloud        its servers: id, name, state, plan, zone, labels, address; and its faults
GET    /clouds/aws            its instances, likewise
PATCH  /clouds/<name>         faults
DELETE /clouds/<name>/<id>    somebody removes a server by hand
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from app.domain.errors import MethodNotAllowed, NotFound, ValidationFailed
from app.lab.background import Background, listening
from app.lab.clouds.cloud import Cloud
from app.lab.clouds.ec2 import ACCESS_KEY, REGION, SECRET_KEY, Ec2Double
from app.lab.clouds.faults import Faults
from app.lab.clouds.ssh import SshMachines
from app.lab.clouds.upcloud import PASSWORD, USERNAME, UpcloudDouble
from app.lab.http import Request, Response
from app.lab.ledger import Ledger

CALLED = {"upcloud": "servers", "aws": "instances"}


def accounts(upcloud_url: str, ec2_url: str) -> list[dict[str, Any]]:
    """What an account of each doubled cloud needs, the secrets are the lab's own."""
    return [
        {
            "name": "upcloud",
            "provider": "upcloud",
            "endpoint": upcloud_url,
            "credentials": {"username": USERNAME, "password": PASSWORD},
        },
        {
            "name": "aws",
            "provider": "aws",
            "endpoint": ec2_url,
            "region": REGION,
            "plans": {"1xCPU-1GB": "t3.micro", "1xCPU-2GB": "t3.small", "2xCPU-4GB": "t3.medium"},
            "credentials": {"access_key_id": ACCESS_KEY, "secret_access_key": SECRET_KEY},
        },
    ]


class Clouds(Background):
    """Doubles of UpCloud and EC2; port 0 means any free one, another port is the first of two."""

    def __init__(
        self,
        port: int = 0,
        *,
        ledger: Ledger | None = None,
        state: str | Path | None = None,
        ssh_port: int | None = None,
    ) -> None:
        self._port, book = port, ledger or Ledger()
        folder = Path(state) if state else None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
        self.clouds = {
            name: Cloud(name, book, first=number, kept=folder / f"{name}.json" if folder else None)
            for number, name in enumerate(CALLED)
        }
        self.ssh: SshMachines | None = None
        if folder is not None and ssh_port is not None and find_spec("asyncssh") is not None:
            self.ssh = SshMachines(self.clouds.values(), folder / "machines", ssh_port)
        self.upcloud, self.ec2 = UpcloudDouble(self.clouds["upcloud"]), Ec2Double(self.clouds["aws"])

    async def open(self) -> None:
        for number, server in enumerate((self.upcloud.server, self.ec2.server)):
            port = self._port and self._port + number
            await listening(server.start(port), "TCP", port)

        if self.ssh is not None:
            self.ssh.start()

    async def close(self) -> None:
        if self.ssh is not None:
            await self.ssh.stop()
        for server in (self.upcloud.server, self.ec2.server):
            await server.stop()

    @property
    def upcloud_url(self) -> str:
        return f"http://127.0.0.1:{self.upcloud.server.port}"

    @property
    def ec2_url(self) -> str:
        return f"http://127.0.0.1:{self.ec2.server.port}"

    def accounts(self) -> list[dict[str, Any]]:
        """What an account of each needs."""
        return accounts(self.upcloud_url, self.ec2_url)

    def control(self, request: Request) -> Response:
        """The part of the control API below ``/clouds``."""
        parts = request.path.split("/")[2:]
        if not parts:
            urls = {"upcloud": self.upcloud_url, "aws": self.ec2_url}
            return Response(body={name: {"url": urls[name], **self._shown(name)} for name in CALLED})
        cloud = self.clouds.get(parts[0])
        if cloud is None:
            raise NotFound(f"There is no cloud {parts[0]}.")
        if len(parts) == 2 and request.method == "DELETE":
            return self._remove(cloud, parts[1], request.port)
        if len(parts) != 1 or request.method not in ("GET", "PATCH"):
            raise MethodNotAllowed
        if request.method == "PATCH":
            self._change(cloud, request.json_object())
        return Response(body=self._shown(cloud.name))

    def _change(self, cloud: Cloud, body: dict[str, object]) -> None:
        unknown = sorted(set(body) - {"faults"})
        if unknown:
            raise ValidationFailed.of(unknown[0], "unknown; only faults")
        cloud.active_faults.current = Faults.from_json(body.get("faults", {}))

    def _remove(self, cloud: Cloud, id_: str, port: int) -> Response:
        found = cloud.one(id_)
        if found is None or found.state == "gone":
            raise NotFound(f"There is no server {id_}.")
        cloud.turn(found, "gone", port)
        return Response(status=204)

    def _shown(self, name: str) -> dict[str, object]:
        cloud = self.clouds[name]
        servers = [cloud.shown(one) for one in cloud.living()]
        return {CALLED[name]: servers, "faults": cloud.faults.to_json()}

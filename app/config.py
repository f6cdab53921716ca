"""Settings: one frozen object. No other module reads the environment.

Each setting is one line: name, type, default; its environment variable is ``WINDLASS_<NAME>`` unless
``ENVIRONMENT_NAMES`` says otherwise (``DATABASE_URL``, ``PORT``, ``K8S_API_SERVER`` …).
A variable ``<NAME>_FILE`` names a file that holds the value, for secrets that are mounted.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from app.broker import Broker, read
from app.domain.errors import WindlassError

ENVIRONMENT_NAMES = {
    "database_url": "DATABASE_URL",
    "redis_url": "REDIS_URL",
    "host": "HOST",
    "port": "PORT",
    "apps_default": "PLT_WORLD_APP_ID",
    "apps_poller": "WF_ENABLE_POLLER",
    "kube_api_server": "K8S_API_SERVER",
    "kube_ca_cert": "K8S_CA_CERT",
    "kube_admin": "K8S_ADMIN_SERVICE_ACCOUNT",
    "kube_account_dir": "PLT_WORLD_SA_PATH",
    "ecs_metadata": "ECS_CONTAINER_METADATA_URI_V4",
}
OLDER_NAMES = {"ECS_CONTAINER_METADATA_URI_V4": "ECS_CONTAINER_METADATA_URI"}
# Kubernetes sets such a value for a Service called windlass-flower: it is not our setting.
SERVICE_LINK = re.compile(r"(tcp|udp|sctp)://[^/]+:\d+")
# Variables that Celery and Flower would prefer to their arguments.
AMBIENT, OVERRIDDEN = "CELERY_", ("FLOWER_ADDRESS", "FLOWER_PORT")
IDENTITIES = ("", "none", "keys", "kubernetes", "ecs")
SHIPPED_TASKSERVS = Path(__file__).resolve().parents[1] / "provisioning" / "taskservs"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1", "[::1]"})


class SettingsError(WindlassError):
    """The settings are not valid."""

    code = "SETTINGS_INVALID"


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything an operator can set; the sentence behind each line is its documentation."""

    state_dir: str = "state"  # Folder of the embedded database, the embedded Valkey, keys and logs.
    database_url: str = ""  # PostgreSQL or SQLite URL; empty selects SQLite in the state folder.
    redis_url: str = ""  # Redis or Valkey URL; empty selects the embedded Valkey in the state folder.
    redis_prefix: str = "wl:"  # Prefix of every key, the same for publisher, workers and Flower.
    host: str = "127.0.0.1"  # Address the API listens on; anything but loopback requires API keys.
    port: int = 8080  # Port of the API.
    batch_port: int = 0  # A second port of the API, as clients of batches expect it (9090); 0 is none.
    hook_rate: int = 600  # Calls of hooks a minute from one peer to each API process; 0 is no limit.
    keyless: bool = False  # Whether no key is required until the first one is made; set by `windlass up`.
    console: bool = True  # Whether pages for people are served below /console.
    apps_host: str = "127.0.0.1"  # Address of the apps API; `windlass world` with tokens: 0.0.0.0.
    apps_port: int = 3042  # Port of the apps API (docs/apps.rst).
    apps_identity: str = ""  # none, keys, kubernetes or ecs; empty detects it: see docs/apps.rst.
    apps_default: str = "default"  # The only application in the modes none and ecs.
    apps_poller: bool = True  # Whether worker hosts deliver the messages of apps.
    apps_deliveries: int = 400  # Messages of apps that a worker host delivers at a time; an app gets half.
    apps_answer_s: int = 900  # Seconds that a handler of an app, which runs a step, has to answer.
    apps_handler_networks: str = ""  # Comma-separated networks that handlers must lie in; empty allows any.
    kube_api_server: str = "https://kubernetes.default.svc"  # API server that reviews the tokens of apps.
    kube_ca_cert: str = ""  # File of its CA; empty takes ca.crt beside Windlass's own token.
    kube_admin: str = ""  # The service account that may administer apps: namespace:name.
    kube_account_dir: str = "/var/run/secrets/kubernetes.io/serviceaccount"  # Folder of Windlass's own token.
    ecs_metadata: str = ""  # Set by ECS; requests then name their application, unchecked.
    valkey_port: int = 6390  # Port of the embedded Valkey, on loopback.
    flower_port: int = 5555  # Port of Flower, on loopback.
    lab_port: int = 9400  # Port of the lab's control; BMC number i has lab_port + i, then the cluster.
    public_url: str = ""  # Base URL that installers and receivers reach; empty uses host and port.
    region: str = "local"  # First part of request ids (contracts/runs.rst#identifiers).
    api_workers: int = 2  # Processes of the API.
    api_threads: int = 16  # Threads of each API process; eight are kept for short requests.
    api_streams: int = 32  # Live pages of the console at each API process; each has a thread of its own.
    worker_processes: int = 8  # Pool processes of a worker host for the queue default.
    bmc_processes: int = 2  # Pool processes of a worker host for the queue bmc; 0 leaves it to others.
    kube_processes: int = 2  # Pool processes of a worker host for the queue kube; 0 leaves it to others.
    cloud_processes: int = 2  # Pool processes of a worker host for the queue cloud; 0 leaves it to others.
    webhook_processes: int = 4  # Pool processes of a worker host for webhooks; 0 leaves them to others.
    imports: str = ""  # Comma-separated modules of code workflows; see `windlass worker --import`.
    app_dir: str = ""  # Folder of these modules; last on the import path.
    workflow: str = ""  # Serve only this workflow of these modules; empty serves all.
    lease_ms: int = 10_000  # A step whose worker stays silent this long is taken over.
    heartbeat_ms: int = 3_000  # How often a running step renews its lease.
    power_poll_s: int = 300  # How often the power of each server is read; 0 never.
    reconcile_ms: int = 1_000  # Pause between two passes of the reconciler.
    lost_after_ms: int = 2_000  # An expected message counts as lost after this time, if its queue is empty.
    lost_cap_ms: int = 30_000  # An expected message is published again after this, however long its queue is.
    poison_limit: int = 3  # A step that loses its worker this often has failed.
    run_bytes: int = 67_108_864  # Bytes that the events and signals of a code workflow's run may have.
    retention_days: int = 90  # Runs that ended longer ago than this are deleted.
    audit_days: int = 365  # Entries of the audit log older than this are deleted; 0 keeps them all.
    soft_shutdown_s: int = 25  # Seconds that running steps get to end when a worker is stopped.
    webhook_allow: str = ""  # Comma-separated networks or hosts that webhooks may reach although private.
    webhook_allow_http: bool = False  # Whether webhook URLs may use plain http.
    boot_url: str = ""  # Base URL of the boot service that installs operating systems.
    bmc_networks: str = ""  # Comma-separated networks that BMC addresses must lie in; empty allows any.
    quota_clusters: int = 0  # Most clusters at a time; 0 is no limit.
    quota_vms: int = 0  # Most virtual machines at a time; 0 is no limit.
    taskserv_dir: str = ""  # Folder of the taskservs that batches install; empty: those beside the source.
    log_level: str = "INFO"  # Level of the JSON logs.
    cursor_key: str = ""  # Secret that signs page cursors; empty makes one in the state folder.
    apps_key: str = ""  # 32 bytes in base64 that seal secrets of apps; empty makes a file.
    sealing_public_key: str = ""  # Key ring of public sealing keys; empty makes one in the state folder.
    sealing_private_key: str = ""  # Key ring of private sealing keys, for workers alone.

    @property
    def state(self) -> Path:
        """The state folder as an absolute path."""
        return Path(self.state_dir).resolve()

    @property
    def taskservs(self) -> Path:
        """The folder of the taskservs: what is shipped is found from wherever the service is started."""
        return Path(self.taskserv_dir).resolve() if self.taskserv_dir else SHIPPED_TASKSERVS

    @property
    def database(self) -> str:
        """The database URL in force, with the driver named."""
        if not self.database_url:
            return f"sqlite:///{self.state / 'windlass.db'}"
        for bare in ("postgres://", "postgresql://"):
            if self.database_url.startswith(bare):
                return "postgresql+psycopg://" + self.database_url[len(bare) :]
        return self.database_url

    @property
    def database_place(self) -> str:
        """Where the database is, without what must stay secret."""
        scheme, _, rest = self.database.partition("://")
        if scheme.startswith("sqlite"):
            return rest.removeprefix("/")
        return f"{scheme.partition('+')[0]}://{rest.rpartition('@')[2].partition('?')[0]}"

    @property
    def redis(self) -> str:
        """The Redis URL in force; the embedded Valkey listens on loopback."""
        return self.redis_url or f"redis://127.0.0.1:{self.valkey_port}/0"

    @property
    def apps_mode(self) -> str:
        """How the apps API identifies its callers: none, keys, kubernetes or ecs."""
        if self.apps_identity:
            return self.apps_identity
        if (Path(self.kube_account_dir) / "token").exists():
            return "kubernetes"
        return "ecs" if self.ecs_metadata else "none"

    @property
    def broker(self) -> Broker:
        """The parsed Redis URL: the engine, Celery and Flower all use it."""
        return read(self.redis)

    @property
    def url(self) -> str:
        """The base URL that others reach the API under."""
        return (self.public_url or f"http://{self.host}:{self.port}").rstrip("/")

    @property
    def loopback_only(self) -> bool:
        """Whether only this machine can reach the API."""
        return self.host in LOOPBACK

    @property
    def apps_ask(self) -> bool:
        """Whether the apps API requires tokens."""
        return self.apps_mode in ("keys", "kubernetes")

    @property
    def apps_on_loopback(self) -> bool:
        """Whether only this machine can reach the apps API."""
        return self.apps_host in LOOPBACK

    @property
    def serves_keyless(self) -> bool:
        """Whether a request of this machine may do without an API key (see `app.api.http.keyless`)."""
        return self.keyless and self.loopback_only and (urlsplit(self.url).hostname or "") in LOOPBACK


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings from the environment; raises one `SettingsError` that names every bad value."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for field in fields(Settings):
        name = _variable(field.name)
        try:
            text = _read(environ, name)
            if text is not None:
                values[field.name] = _PARSERS[str(getattr(field.type, "__name__", field.type))](text)
                if field.name == "redis_url" and text:
                    read(text)
                if field.name == "apps_identity" and text not in IDENTITIES:
                    raise ValueError(f"{text!r} is none of {', '.join(filter(None, IDENTITIES))}")
        except (ValueError, OSError) as error:
            problems[name] = str(error)
    if problems:
        raise SettingsError("; ".join(f"{name}: {why}" for name, why in problems.items()), fields=problems)
    return Settings(**{**values, **overrides})


def load_world(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """Settings for `windlass world`: HOST and PORT are those of the apps API.

    It listens on all addresses by default where tokens are required, and on loopback where none are.
    """
    meant = dict(os.environ if environ is None else environ)
    for theirs, ours in (("HOST", "WINDLASS_APPS_HOST"), ("PORT", "WINDLASS_APPS_PORT")):
        if meant.get(theirs):
            meant[ours] = meant.pop(theirs)
    settings = load(meant, **overrides)
    told = "apps_host" in overrides or meant.get("WINDLASS_APPS_HOST")
    return settings if told or not settings.apps_ask else replace(settings, apps_host="0.0.0.0")


def environment(settings: Settings, **extra: str) -> dict[str, str]:
    """The environment for a child process that shall have the same settings.

    Only what differs from this process's own environment is spelled out, so that a secret that came from
    a mounted file stays out of it.
    """
    inherited = load()
    environ = {name: value for name, value in os.environ.items() if not _is_ambient(name)}
    for field in fields(Settings):
        value = getattr(settings, field.name)
        if value != getattr(inherited, field.name):
            name = _variable(field.name)
            environ.pop(f"{name}_FILE", None)
            environ[name] = str(value).lower() if isinstance(value, bool) else str(value)
    environ.pop("WINDLASS_STATE_DIR_FILE", None)
    return {**environ, "WINDLASS_STATE_DIR": str(settings.state), **extra}


def release() -> str:
    """The release of this installation."""
    try:
        return version("windlass")
    except PackageNotFoundError:  # Run from a tree that was not installed.
        return "unreleased"


def forget_ambient() -> None:
    """Remove variables that are settings of Celery or Flower from this process's environment."""
    for name in list(filter(_is_ambient, os.environ)):
        del os.environ[name]


def _is_ambient(name: str) -> bool:
    return name.startswith(AMBIENT) or name in OVERRIDDEN


def _variable(field: str) -> str:
    return ENVIRONMENT_NAMES.get(field, f"WINDLASS_{field.upper()}")


def _read(environ: Mapping[str, str], name: str) -> str | None:
    file = environ.get(f"{name}_FILE")
    text = (
        Path(file).read_text().strip() if file else environ.get(name, environ.get(OLDER_NAMES.get(name, "")))
    )
    return None if text and name.endswith("_PORT") and SERVICE_LINK.fullmatch(text) else text


def _flag(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "on": True}
    words |= {"0": False, "false": False, "no": False, "off": False, "": False}
    if text.lower() not in words:
        raise ValueError(f"{text!r} is neither true nor false")
    return words[text.lower()]


_PARSERS: dict[str, Any] = {"str": str, "int": int, "bool": _flag}

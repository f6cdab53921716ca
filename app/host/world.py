"""`windlass world`: the apps API, a worker that delivers messages, a reconciler and, if need be, a Valkey."""

from collections.abc import Callable

from app.config import Settings, environment
from app.host import checks, programs, up, valkey, worker
from app.host.child import Child
from app.host.supervise import Supervisor, say


def run(settings: Settings) -> None:
    """Bring the tables up to date, then serve until Ctrl-C. Raises `CannotStart` with one sentence."""
    checks.state_folder(settings.state)
    with checks.only_one(settings.state):
        if not settings.redis_url:
            valkey.clear_orphan(settings)
            checks.port_free("127.0.0.1", settings.valkey_port, "WINDLASS_VALKEY_PORT")
        checks.port_free(settings.apps_host, settings.apps_port, "PORT or --port")
        up.upgrade(settings)
        if warning := exposed(settings):
            say(warning)
        Supervisor(children(settings), logs=settings.state / "logs").run(_announcing(settings))


def exposed(settings: Settings) -> str:
    """The warning when other machines can reach an apps API that requires no tokens; empty otherwise."""
    if settings.apps_ask or settings.apps_on_loopback:
        return ""
    return (
        f"Warning: whoever reaches {settings.apps_host} port {settings.apps_port} may read and write every"
        " application: nobody is asked for a token. Listen on 127.0.0.1, or ask for API keys with --keys."
    )


def children(settings: Settings) -> tuple[Child, ...]:
    """The processes, in stages."""
    logs = str(settings.state / "logs")
    valkeys = () if settings.redis_url else (valkey.child(settings),)
    working = ("worker", "--queue", "app", "--logs", logs) if settings.apps_poller else ("reconciler",)
    host = Child(
        name="worker" if settings.apps_poller else "reconciler",
        argv=(*programs.windlass(), *working),
        env=environment(settings),
        stage=2,
        grace_s=settings.soft_shutdown_s + worker.STOP_MARGIN_S,
        restart_when_done=not settings.apps_poller,  # `windlass worker drain` shall last.
    )
    return (*valkeys, up.apps_api(settings), host)


def _announcing(settings: Settings) -> Callable[[], bool]:
    """Goes on for ever; at its first call, when everything is ready, prints the address of the apps API."""
    printed = False

    def goes_on() -> bool:
        nonlocal printed
        if not printed:
            printed = True
            say(f"Windlass keeps the runs of apps at {up.apps_url(settings)}. Ctrl-C stops it.")
            say(f"  In the app   PLT_WORLD_SERVICE_URL={up.apps_url(settings)}")
            say(f"  State, logs  {settings.state}, {settings.state / 'logs'}")
        return True

    return goes_on

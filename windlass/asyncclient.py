"""The client for coroutines: the calls of `Client`, each to be awaited."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from types import TracebackType
from typing import Concatenate, ParamSpec, Self, TypeVar

from windlass import asyncnouns as nouns
from windlass.aside import LoopTransport
from windlass.batches import LOOK_S
from windlass.batchmodels import BatchProgress
from windlass.batchtalks import BatchTalks
from windlass.client import key_of, url_of
from windlass.errors import ConnectionFailed
from windlass.exchange import Came, Exchange, Talk, Wish
from windlass.httpx_transport import AsyncHttpxTransport
from windlass.retries import Retries
from windlass.transport import AsyncTransport, Request
from windlass.workflowtalks import WorkflowTalks

P = ParamSpec("P")
T = TypeVar("T")


def _awaited(
    talk: Callable[Concatenate[WorkflowTalks, P], Talk[T]],
) -> "Callable[Concatenate[AsyncWorkflows, P], Awaitable[T]]":
    @wraps(talk)
    async def method(self: "AsyncWorkflows", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.session.carry(talk(WorkflowTalks(exchange=self.session.exchange), *args, **kwargs))

    return method


@dataclass(frozen=True, kw_only=True)
class AsyncSession:
    """Sends requests until they are answered, and lets others work meanwhile."""

    transport: AsyncTransport
    exchange: Exchange

    async def carry(self, talk: Talk[T]) -> T:
        """Do what a talk wants done, to its end."""
        try:
            wish = next(talk)
            while True:
                wish = talk.send(await self._do(wish))
        except StopIteration as end:
            result: T = end.value
        return result

    async def _do(self, wish: Wish) -> Came:
        if isinstance(wish, Request):
            try:
                return await self.transport.send(wish)
            except ConnectionFailed as error:
                return error
        await asyncio.sleep(wish)
        return None


@dataclass(frozen=True, kw_only=True)
class AsyncWorkflows:
    """Everything about code workflows."""

    session: AsyncSession

    trigger = _awaited(WorkflowTalks.trigger)
    get_run = _awaited(WorkflowTalks.get_run)
    get_runs = _awaited(WorkflowTalks.get_runs)
    get_child_runs = _awaited(WorkflowTalks.get_child_runs)
    get_parent_run = _awaited(WorkflowTalks.get_parent_run)
    get_events = _awaited(WorkflowTalks.get_events)
    emit_event = _awaited(WorkflowTalks.emit_event)
    send_signal = _awaited(WorkflowTalks.send_signal)
    create_hook = _awaited(WorkflowTalks.create_hook)
    execute_hook = _awaited(WorkflowTalks.execute_hook)
    patch = _awaited(WorkflowTalks.patch)
    cancel = _awaited(WorkflowTalks.cancel)
    definitions = _awaited(WorkflowTalks.definitions)
    wait = _awaited(WorkflowTalks.wait)


def _of_batches(
    talk: Callable[Concatenate[BatchTalks, P], Talk[T]],
) -> "Callable[Concatenate[AsyncBatches, P], Awaitable[T]]":
    @wraps(talk)
    async def method(self: "AsyncBatches", /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.session.carry(talk(BatchTalks(exchange=self.session.exchange), *args, **kwargs))

    return method


@dataclass(frozen=True, kw_only=True)
class AsyncBatches:
    """Everything about batches."""

    session: AsyncSession

    submit = _of_batches(BatchTalks.submit)
    plan = _of_batches(BatchTalks.plan)
    list = _of_batches(BatchTalks.list)
    get = _of_batches(BatchTalks.get)
    items = _of_batches(BatchTalks.items)
    progress = _of_batches(BatchTalks.progress)
    stats = _of_batches(BatchTalks.stats)
    graph = _of_batches(BatchTalks.graph)
    rollback = _of_batches(BatchTalks.rollback)
    cancel = _of_batches(BatchTalks.cancel)
    pause = _of_batches(BatchTalks.pause)
    resume = _of_batches(BatchTalks.resume)
    checkpoint = _of_batches(BatchTalks.checkpoint)
    approve = _of_batches(BatchTalks.approve)
    retry = _of_batches(BatchTalks.retry)
    wait = _of_batches(BatchTalks.wait)

    async def follow(self, batch_id: str) -> AsyncIterator[BatchProgress]:
        """The progress at each change, looked for once a second, until the batch has ended."""
        seen: BatchProgress | None = None
        while True:
            found = await self.progress(batch_id)
            if found != seen:
                yield found
            if found.ended:
                return
            seen = found
            await asyncio.sleep(LOOK_S)


class AsyncClient:
    """A connection to one service for one event loop.

        async with AsyncClient("https://windlass.example", api_key="wlk_…") as client:
            run = await client.workflow.trigger("send-welcome-email", [{"userId": "user-123"}])
            run = await client.workflow.wait(run.run_id, timeout_s=60)

    The arguments are those of `Client`.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        timeout: float = 30.0,
        transport: AsyncTransport | None = None,
        retries: Retries | None = None,
    ) -> None:
        self.base_url = url_of(base_url)
        self._transport = transport or AsyncHttpxTransport(self.base_url)
        exchange = Exchange(api_key=key_of(api_key), timeout_s=timeout, retries=retries or Retries())
        session = AsyncSession(transport=self._transport, exchange=exchange)
        self._threads = LoopTransport(self.base_url, self._transport)
        self.workflow = AsyncWorkflows(session=session)
        self.batches = AsyncBatches(session=session)
        self.runs = nouns.AsyncRuns(self._threads, exchange)
        self.servers = nouns.AsyncServers(self._threads, exchange)
        self.pools = nouns.AsyncPools(self._threads, exchange)
        self.clusters = nouns.AsyncClusters(self._threads, exchange)
        self.vms = nouns.AsyncVms(self._threads, exchange)
        self.accounts = nouns.AsyncAccounts(self._threads, exchange)
        self.managements = nouns.AsyncManagements(self._threads, exchange)
        self.schedules = nouns.AsyncSchedules(self._threads, exchange)
        self.webhooks = nouns.AsyncWebhooks(self._threads, exchange)
        self.workers = nouns.AsyncWorkers(self._threads, exchange)
        self.views = nouns.AsyncViews(self._threads, exchange)
        self.locks = nouns.AsyncLocks(self._threads, exchange)
        self.types = nouns.AsyncTypes(self._threads, exchange)
        self.metrics = nouns.AsyncMetrics(self._threads, exchange)
        self.keys = nouns.AsyncKeys(self._threads, exchange)
        self.sessions = nouns.AsyncSessions(self._threads, exchange)
        self.service = nouns.AsyncService(self._threads, exchange)
        self.audit = nouns.AsyncAudit(self._threads, exchange)

    async def close(self) -> None:
        """Give back the connections."""
        self._threads.close()
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

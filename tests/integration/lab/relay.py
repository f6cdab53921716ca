"""A hop between a client and a BMC that can lose answers and change requests."""

import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any


class Relay:
    """Passes datagrams between one client and one BMC, but loses one answer and may change requests."""

    def __init__(
        self, bmc_port: int, lost: int, change: Callable[[bytes], list[bytes]] = lambda data: [data]
    ) -> None:
        self.answers = 0
        self._lost = lost
        self._change = change
        self._client: Any = None
        self._front, self._back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        self._front.bind(("127.0.0.1", 0))
        self._back.connect(("127.0.0.1", bmc_port))
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._pass_on)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._front.getsockname()[1])

    def close(self) -> None:
        self._done.set()
        self._thread.join()
        self._front.close()
        self._back.close()

    def _pass_on(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._front, selectors.EVENT_READ, self._request)
            selector.register(self._back, selectors.EVENT_READ, self._answer)
            while not self._done.is_set():
                for key, _ in selector.select(0.05):
                    key.data()

    def _request(self) -> None:
        data, self._client = self._front.recvfrom(4096)
        for datagram in self._change(data):
            self._back.send(datagram)

    def _answer(self) -> None:
        data = self._back.recv(4096)
        self.answers += 1
        if self.answers != self._lost:
            self._front.sendto(data, self._client)

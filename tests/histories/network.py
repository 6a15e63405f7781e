"""A relay in front of a server, to cut and to hold up the connections through it."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from pathlib import Path

from tests.servers.scratch import free_port

Address = Path | tuple[str, int]
CHUNK = 65_536


class Relay:
    """
    Passes each connection to `listening` on to `target`; a path means a unix socket.

    A context manager; one thread does all of it.
    """

    def __init__(self, target: Address, listening: Path | None = None) -> None:
        self.target = target
        self.listening: Address = listening or ("127.0.0.1", free_port())
        self._peers: dict[socket.socket, socket.socket] = {}
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._open = threading.Event()
        self._open.set()
        self._closed = False

    def __enter__(self) -> Relay:
        self._listener = _socket(self.listening)
        self._listener.bind(_plain(self.listening))
        if isinstance(self.listening, Path):
            self.listening.chmod(0o777)
        self._listener.listen(100)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._closed = True
        self.release()
        self._thread.join()
        self.cut()
        self._listener.close()
        self._selector.close()

    def cut(self) -> None:
        """Break all connections at once, in the middle of whatever they carry."""
        with self._lock:
            for one in list(self._peers):
                self._drop(one)

    def hold(self) -> None:
        """Let nothing through, as a network does that loses packets; nothing is lost."""
        self._open.clear()

    def release(self) -> None:
        """Let everything through again."""
        self._open.set()

    def _serve(self) -> None:
        while not self._closed:
            for key, _ in self._selector.select(0.05):
                self._open.wait()
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif key.fileobj in self._peers:
                        self._pass_on(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        server = _socket(self.target)
        try:
            server.connect(_plain(self.target))
        except OSError:  # the server is down: so is the connection
            client.close()
            server.close()
            return
        for one, other in ((client, server), (server, client)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _pass_on(self, one: socket.socket) -> None:
        try:
            data = one.recv(CHUNK)
            if data:
                self._peers[one].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(one)

    def _drop(self, one: socket.socket) -> None:
        other = self._peers.pop(one, None)
        if other is None:
            return
        del self._peers[other]
        for each in (one, other):
            with contextlib.suppress(KeyError):
                self._selector.unregister(each)
            each.close()


def _socket(address: Address) -> socket.socket:
    return socket.socket(socket.AF_UNIX if isinstance(address, Path) else socket.AF_INET)


def _plain(address: Address) -> str | tuple[str, int]:
    return str(address) if isinstance(address, Path) else address

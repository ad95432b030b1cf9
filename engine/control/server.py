"""The control process: acts from a Unix socket to the one writer, and answers once they are durable and shown.

A line of JSON is a question, a line of JSON the answer. One thread waits for all connections at once; each round takes at
most one line of each, logs the acts among them as one group, and answers. A connection costs nothing while it is quiet,
so that a thousand do not keep an act waiting. What is no question, or too long, or unfinished for too long, ends its
connection and nothing else.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import selectors
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from .acts import Asked, read_asked
from .flag import SERVER
from .problem import ControlError
from .writer import Writer

__all__ = ["MAX_LINE", "Server", "connect"]

SOCKET = "control.sock"
MAX_LINE = 16_384
UNFINISHED_S = 5.0
"""So long a line may take from its first byte to its last."""
LOOK_S = 0.05
"""So often the flag is looked at while nobody asks."""
_LONGEST_PATH = 100
"""Of the address of a Unix socket; Linux takes 107 bytes, other systems 103."""
_SPARE = 64
"""Files that a process needs besides its connections."""


def _address(folder: Path, directory: int) -> str:
    """Return the address of a lane's socket; through an open folder where its path is too long for one."""
    path = str(folder.resolve() / SOCKET)
    if len(os.fsencode(path)) <= _LONGEST_PATH:
        return path
    if not Path("/proc/self/fd").exists():
        help = "put the lane into a folder with a shorter path"
        raise ControlError("HR880", "the path of the lane is too long for a socket", str(folder), help)
    return f"/proc/self/fd/{directory}/{SOCKET}"


@contextlib.contextmanager
def _addressed(folder: Path) -> Iterator[str]:
    directory = os.open(folder, os.O_RDONLY)
    try:
        yield _address(folder, directory)
    finally:
        os.close(directory)


def connect(folder: Path, timeout: float) -> socket.socket:
    """Return a connection to the control process of a lane.

    Raises:
        OSError: nobody listens there.
    """
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        made.settimeout(timeout)
        with _addressed(folder) as address:
            made.connect(address)
    except BaseException:
        made.close()
        raise
    return made


class _Connection:
    """What has come on a connection and is not answered, and since when."""

    __slots__ = ("since", "socket", "text")

    def __init__(self, socket: socket.socket) -> None:
        self.socket, self.text, self.since = socket, b"", time.monotonic()

    def line(self) -> bytes | None:
        """Take the first whole line, without its end."""
        line, found, rest = self.text.partition(b"\n")
        if not found:
            return None
        self.text, self.since = rest, time.monotonic()
        return line


class Server:
    """Serves a lane until it is closed."""

    def __init__(self, folder: Path) -> None:
        """Take the lane and listen.

        Raises:
            ControlError: as `Writer`.
            JournalError: as `Writer`.
        """
        self._writer = Writer(folder)
        try:
            self.place = str(folder)
            self._most = _most_connections()
            self._selector = selectors.DefaultSelector()
            self._listening = self._listen(folder)
            self._open: OrderedDict[int, _Connection] = OrderedDict()
            """By file, the one that has been quiet for longest first."""
            self._whole: dict[int, _Connection] = {}
            """Those that have sent another line already."""
            self._looked = time.monotonic()
            self._writer.flag.words[SERVER] = os.getpid()
        except BaseException:
            self._writer.close()
            raise

    def _listen(self, folder: Path) -> socket.socket:
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listening.setblocking(False)
        with _addressed(folder) as address:
            # Whoever bound it before has gone: this process holds the lock of the log.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(address)  # noqa: PTH108  an address that may lead through /proc
            listening.bind(address)
        listening.listen(1024)
        self._selector.register(listening, selectors.EVENT_READ)
        return listening

    def serve(self, until: Callable[[], bool]) -> None:
        """Answer until `until` says that it is enough, which is asked every 50 ms or sooner.

        Raises:
            ControlError: (HR886) nothing can be logged any more; who asked has been told.
        """
        while not until():
            self.round(LOOK_S)

    def round(self, timeout: float) -> None:
        """Wait for up to `timeout` seconds, and answer what has come.

        Raises:
            ControlError: as `serve`.
        """
        for key, _ in self._selector.select(0 if self._whole else timeout):
            if key.fileobj is self._listening:
                self._accept()
            else:
                self._receive(key.data)
        self._answer_all()
        now = time.monotonic()
        if now - self._looked >= LOOK_S:
            self._looked = now
            self._writer.look()
            for connection in [each for each in self._open.values() if each.text and now - each.since > UNFINISHED_S]:
                self._end(connection)

    # ---------------------------------------------------------------------------------------------------- connections

    def _accept(self) -> None:
        for _ in range(128):
            try:
                made, _address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE) or not self._open:
                    raise
                self._end(next(iter(self._open.values())))
                continue
            made.setblocking(False)
            connection = _Connection(made)
            self._open[made.fileno()] = connection
            self._selector.register(made, selectors.EVENT_READ, connection)
            if len(self._open) > self._most:
                self._end(next(iter(self._open.values())))

    def _receive(self, connection: _Connection) -> None:
        if len(connection.text) > MAX_LINE:  # it has asked for more than it has been answered
            return
        try:
            text = connection.socket.recv(MAX_LINE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            text = b""
        if not text:
            self._end(connection)
            return
        if not connection.text:
            connection.since = time.monotonic()
        connection.text += text
        self._open.move_to_end(connection.socket.fileno())
        if b"\n" in connection.text:
            self._whole[connection.socket.fileno()] = connection
        elif len(connection.text) > MAX_LINE:
            self._refuse(
                connection, ControlError("HR883", "the line is too long", self.place, f"{MAX_LINE:,} bytes at most")
            )

    def _end(self, connection: _Connection) -> None:
        file = connection.socket.fileno()
        if self._open.pop(file, None) is not None:
            self._whole.pop(file, None)
            self._selector.unregister(connection.socket)
            connection.socket.close()

    def _send(self, connection: _Connection, answer: dict[str, Any]) -> None:
        text = json.dumps(answer).encode("ascii") + b"\n"
        try:
            sent = connection.socket.send(text)
        except OSError:
            sent = 0
        if sent < len(text):  # it does not read what it is told, and nobody waits for it
            self._end(connection)

    def _refuse(self, connection: _Connection, error: ControlError) -> None:
        self._send(connection, {"error": error.to_json()})
        self._end(connection)

    # -------------------------------------------------------------------------------------------------------- answers

    def _answer_all(self) -> None:
        """Answer one line of each connection that has sent one."""
        asking: list[tuple[_Connection, Asked]] = []
        for connection in list(self._whole.values()):
            line = connection.line()
            if b"\n" not in connection.text:
                self._whole.pop(connection.socket.fileno(), None)
            if line is None:
                continue
            try:
                document = _document(line, self.place)
                if document == {"ask": "status"}:
                    self._send(connection, {"serves": os.getpid()})
                else:
                    asking.append((connection, read_asked(document, self.place)))
            except ControlError as error:
                self._refuse(connection, error)
        if asking:
            self._act(asking)

    def _act(self, asking: list[tuple[_Connection, Asked]]) -> None:
        try:
            outcomes = self._writer.act([asked for _, asked in asking])
        except ControlError as error:
            for connection, _ in asking:
                self._refuse(connection, error)
            raise
        for (connection, _), outcome in zip(asking, outcomes, strict=True):
            if isinstance(outcome, ControlError):
                self._send(connection, {"error": outcome.to_json()})
            else:
                self._send(connection, {"act": outcome[0].to_json(), "again": outcome[1]})

    def close(self) -> None:
        """End all connections and let the lane go."""
        for connection in list(self._open.values()):
            self._end(connection)
        self._selector.unregister(self._listening)
        self._listening.close()
        self._selector.close()
        self._writer.flag.words[SERVER] = 0
        self._writer.close()


def _document(line: bytes, place: str) -> object:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        raise ControlError("HR883", "this is no JSON", place, "send one JSON object a line") from None


def _most_connections() -> int:
    """Return how many connections are kept, having asked the system for as many as it lets this process have."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard == resource.RLIM_INFINITY or hard > 65_536:
        hard = 65_536
    if soft != resource.RLIM_INFINITY and soft < hard:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
            soft = hard
    return max(1, min(soft if soft != resource.RLIM_INFINITY else hard, 65_536) - _SPARE)

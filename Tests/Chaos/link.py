"""A TCP connection between two parts that can be cut, reset, slowed, stalled, or made to lose its answers."""

import asyncio
import contextlib
import socket
import struct
import threading
import time

PIECE = 64 << 10


class Links:
    """All links, on an event loop in a thread of its own; use it in a `with`."""

    def __init__(self, **targets):
        """Targets are ports of loopback by name; a name's `_` is shown as `-`."""
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="links", daemon=True)
        self.links = {
            name.replace("_", "-"): Link(name.replace("_", "-"), port, self) for name, port in targets.items()
        }

    def __getitem__(self, name):
        return self.links[name]

    def __enter__(self):
        self.thread.start()
        for link in self.links.values():
            self.call(link.open())
        return self

    def __exit__(self, *_):
        self.call(self._close())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)

    async def _close(self):
        for link in self.links.values():
            await link.close()
        # Pumps end by themselves, now that their connections are broken.
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=5)

    def call(self, coroutine):
        """Runs it on the loop and waits for its end."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)


class Link:
    """One link. Its state may be set from any thread; pumps look at it with each piece."""

    def __init__(self, name, target, links):
        self.name, self.target, self.links = name, target, links
        self.port = 0
        self.server = None
        self.connections = set()
        self.bytes = 0
        self.heal()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def heal(self):
        """Everything goes through again."""
        self.is_cut, self.is_stalled, self.loses_answers = False, False, False
        # Bytes a second in each direction; 0 is as fast as it goes.
        self.rate = 0

    def cut(self):
        """Breaks all connections and takes no new ones."""
        self.is_cut = True
        self.reset()

    def reset(self):
        """Breaks all connections by RST."""
        self.links.call(self._reset())

    async def _reset(self):
        for connection in list(self.connections):
            connection.abort()

    async def open(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]

    async def close(self):
        self.heal()
        self.server.close()
        await self._reset()

    async def _serve(self, reader, writer):
        connection = Connection(writer)
        if self.is_cut:
            return connection.abort()
        self.connections.add(connection)
        try:
            there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            self.connections.discard(connection)
            return connection.abort()
        connection.writers.append(there_writer)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, there_writer, connection, False))
                group.create_task(self._pump(there_reader, writer, connection, True))
        except* (OSError, asyncio.IncompleteReadError):
            connection.abort()
        finally:
            self.connections.discard(connection)
            connection.close()

    async def _pump(self, reader, writer, connection, carries_answers):
        while not connection.is_broken:
            piece = await reader.read(min(PIECE, max(1024, self.rate // 4)) if self.rate else PIECE)
            while self.is_stalled and not connection.is_broken:
                await asyncio.sleep(0.05)
            if connection.is_broken:
                return
            if carries_answers and self.loses_answers:
                # The other side has done what it was asked for; who asked never hears of it.
                return connection.abort()
            if not piece:
                with contextlib.suppress(OSError, RuntimeError):
                    writer.write_eof()
                return
            began = time.monotonic()
            writer.write(piece)
            await writer.drain()
            self.bytes += len(piece)
            if self.rate:
                await asyncio.sleep(max(0.0, len(piece) / self.rate - (time.monotonic() - began)))


class Connection:
    """Both sockets of a connection through a link."""

    def __init__(self, writer):
        self.writers = [writer]
        self.is_broken = False

    def abort(self):
        """Ends it by RST: the peers see an error, not an end."""
        self.is_broken = True
        for writer in self.writers:
            with contextlib.suppress(OSError):
                end = writer.get_extra_info("socket")
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()

    def close(self):
        for writer in self.writers:
            writer.close()

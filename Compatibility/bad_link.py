"""A way over TCP to a server on this machine that is slow, resets connections, or is down."""

import random
import selectors
import socket
import struct
import threading
import time


class BadLink:
    """Listens on a loopback port and passes what comes to another one, as its attributes say at the moment."""

    def __init__(self, target):
        self.target = target
        self.is_down = False
        # A connection is reset after about so many bytes in either direction; None for never.
        self.reset_after = None
        # Bytes a second to the target; None for as fast as it goes.
        self.rate = None
        self.bytes_up = 0
        self.resets = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def close(self):
        self.is_closed = True
        self.listener.close()

    def _accept(self):
        while not self.is_closed:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = None
        try:
            if self.is_down:
                return
            server = socket.create_connection(("127.0.0.1", self.target))
            self._pass(client, server)
        except OSError:
            pass
        finally:
            for end in (client, server):
                if end is not None:
                    # Closes with a reset in place of a farewell.
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    end.close()

    def _pass(self, client, server):
        limit = None if self.reset_after is None else random.randint(0, 2 * self.reset_after)
        passed = 0
        with selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, server)
            selector.register(server, selectors.EVENT_READ, client)
            while True:
                if self.is_down:
                    return
                for key, _ in selector.select(0.1):
                    data = key.fileobj.recv(16384)
                    if not data:
                        return
                    if limit is not None and passed + len(data) > limit and self.reset_after is not None:
                        key.data.sendall(data[: limit - passed])
                        self.resets += 1
                        return
                    key.data.sendall(data)
                    passed += len(data)
                    if key.fileobj is client:
                        self.bytes_up += len(data)
                        if self.rate:
                            time.sleep(len(data) / self.rate)

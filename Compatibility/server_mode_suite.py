"""Functions that answer HTTP themselves, and exposed services: plain sockets, http.client, requests and oscar-python."""

import base64
import hashlib
import http.client
import json
import os
import socket
import struct
import time
import urllib.parse

import requests
from oscar_python.client import Client

from apus import free_port
from cases import case, equal, eventually, expect, random_bytes

# Serves what the cases need with nothing but Python's own library: it is in every sandbox of the process kind.
PROGRAM = '''
import base64, hashlib, os, struct, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200, **headers):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        path = self.path.split("?")[0].rsplit("/", 1)[-1]
        if path == "events":
            return self.events()
        if path == "socket":
            return self.socket()
        if path == "broken":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b"half")
            self.close_connection = True
            return
        if path == "exit":
            os._exit(3)
        lines = [self.command + " " + self.path] + [f"{name}: {value}" for name, value in self.headers.items()]
        lines.append("base: " + os.environ.get("OSCAR_SERVICE_BASE_PATH", ""))
        self.answer("\\n".join(lines).encode(), Set_Cookie="own=1; Path=/")

    do_HEAD = do_DELETE = do_OPTIONS = do_GET

    def do_POST(self):
        digest, size = hashlib.sha256(), 0
        if self.headers.get("Transfer-Encoding") == "chunked":
            while True:
                length = int(self.rfile.readline(), 16)
                piece = self.rfile.read(length)
                self.rfile.readline()
                if not length:
                    break
                digest.update(piece)
                size += length
        else:
            left = int(self.headers.get("Content-Length", 0))
            while left:
                piece = self.rfile.read(min(left, 1 << 16))
                digest.update(piece)
                size += len(piece)
                left -= len(piece)
        self.answer(f"{size} {digest.hexdigest()}".encode(), 201)

    do_PUT = do_POST

    def events(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for number in range(5):
            self.wfile.write(f"data: {number} {time.monotonic_ns()}\\n\\n".encode())
            self.wfile.flush()
            time.sleep(0.3)

    def socket(self):
        key = self.headers["Sec-WebSocket-Key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
        self.send_response(101)
        for name, value in [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Accept", accept)]:
            self.send_header(name, value)
        self.end_headers()
        self.close_connection = True
        while True:
            head = self.rfile.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                break
            length = head[1] & 127
            if length == 126:
                length = struct.unpack("!H", self.rfile.read(2))[0]
            mask = self.rfile.read(4)
            text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(self.rfile.read(length)))
            out = text.upper()
            size = bytes([len(out)]) if len(out) < 126 else b"\\x7e" + struct.pack("!H", len(out))
            self.wfile.write(b"\\x81" + size + out)
            self.wfile.flush()

    def log_message(self, format, *arguments):
        print(format % arguments, flush=True)

ThreadingHTTPServer.allow_reuse_address = True
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
'''

SCRIPT = f"cat > program.py <<'END_OF_PROGRAM'\n{PROGRAM}\nEND_OF_PROGRAM\nexec python3 program.py\n"


def auth(context):
    return context.server.user, context.server.password


def token(context, name):
    return context.server.request("GET", f"/system/services/{name}", 200).json()["token"]


def ensure(context, name, **fields):
    """Creates a service with the program, once."""
    if context.server.request("GET", f"/system/services/{name}", (200, 404)).status_code == 404:
        context.server.create_service(name, SCRIPT, **fields)


def ensure_page(context, name="page", **expose):
    # Process sandboxes share the machine's ports, so each service gets one of its own.
    ensure(context, name, expose={"api_port": [free_port()], **expose})
    return f"/system/services/{name}/exposed"


@case("the first request waits for its instance and is answered, never with 502 or 503")
def cold_start(context):
    ensure(context, "web", mode="server", server={"port": free_port()})
    answer = context.server.request("GET", "/run/web/a/b?x=1", 200)
    lines = answer.text.split("\n")
    equal(lines[0], "GET /a/b?x=1", "target")
    expect("authorization" not in answer.text.lower(), "the credentials reached the program")
    expect(float(answer.headers["X-Duration-Seconds"]) > 0, "duration")
    expect("x-forwarded-prefix: /run/web" in answer.text.lower(), answer.text)


@case("the path arrives as it was sent")
def raw_path(context):
    connection = http.client.HTTPConnection(urllib.parse.urlsplit(context.server.api).netloc, timeout=20)
    given = base64.b64encode(":".join(auth(context)).encode()).decode()
    for path in ["/a%2Fb/../c%20d//", "/%zz?%", "/?", "/x;y=z?a=b&&c", "/" + "l" * 4000]:
        connection.putrequest("GET", "/run/web" + path, skip_accept_encoding=True)
        connection.putheader("Authorization", "Basic " + given)
        connection.endheaders()
        answer = connection.getresponse()
        text = answer.read().decode()
        equal((answer.status, text.split("\n")[0]), (200, "GET " + path), path)
    connection.close()


@case("events come one by one, each as soon as it is sent")
def events(context):
    with requests.get(context.server.api + "/run/web/events", auth=auth(context), stream=True, timeout=20) as answer:
        equal((answer.status_code, answer.headers["Content-Type"]), (200, "text/event-stream"), "answer")
        late = []
        for line in answer.iter_lines(chunk_size=1):
            if line.startswith(b"data: "):
                # The sandbox has the machine's monotonic clock.
                late.append((time.monotonic_ns() - int(line.split()[-1])) / 1e9)
    equal(len(late), 5, "events")
    expect(max(late) < 0.2, f"an event came after {max(late):.3f} s")


class WebSocket:
    """A client of RFC 6455, as far as short texts go."""

    def __init__(self, context, path, authorization=None):
        address = urllib.parse.urlsplit(context.server.api)
        self.socket = socket.create_connection((address.hostname, address.port), timeout=20)
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        head += f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
        if authorization:
            head += f"Authorization: {authorization}\r\n"
        self.socket.sendall((head + "\r\n").encode())
        self.file = self.socket.makefile("rb")
        self.status = int(self.file.readline().split()[1])
        headers = {}
        while line := self.file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        accept = hashlib.sha1((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").encode()).digest()
        self.is_accepted = headers.get("sec-websocket-accept") == base64.b64encode(accept).decode()

    def exchange(self, text):
        mask = os.urandom(4)
        data = bytes(byte ^ mask[at % 4] for at, byte in enumerate(text))
        size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + struct.pack("!H", len(data))
        self.socket.sendall(b"\x81" + size + mask + data)
        head = self.file.read(2)
        length = head[1] if head[1] < 126 else struct.unpack("!H", self.file.read(2))[0]
        return self.file.read(length)

    def close(self):
        self.socket.close()


@case("a WebSocket needs the credentials, then carries messages both ways")
def web_socket(context):
    equal(WebSocket(context, "/run/web/socket").status, 401, "without credentials")
    client = WebSocket(context, "/run/web/socket", "Bearer " + token(context, "web"))
    equal((client.status, client.is_accepted), (101, True), "handshake")
    for size in (1, 125, 126, 4000):
        text = b"x" * size
        equal(client.exchange(text), text.upper(), f"message of {size}")
    client.close()


@case("an upload of 50 MB passes without being collected: the server's memory stays as it is")
def upload(context):
    def memory():
        with open(f"/proc/{context.server.process.pid}/status", encoding="ascii") as status:
            return int(next(line for line in status if line.startswith("VmRSS")).split()[1]) << 10

    body = random_bytes(50_000_000)
    digest = hashlib.sha256(body).hexdigest()

    def pieces():
        for at in range(0, len(body), 1 << 16):
            yield body[at : at + (1 << 16)]

    context.server.request("POST", "/run/web/warm", 201, data=b"x" * 1_000_000)
    before = memory()
    answer = context.server.request("POST", "/run/web/upload", 201, data=pieces())
    equal(answer.text, f"{len(body)} {digest}", "chunked")
    answer = context.server.request("PUT", "/run/web/upload", 201, data=body)
    equal(answer.text, f"{len(body)} {digest}", "with its length")
    expect(memory() - before < 24 << 20, f"{(memory() - before) >> 20} MiB more")


@case("half an answer is an error to the client, and a program that ends is replaced")
def broken(context):
    try:
        answer = context.server.request("GET", "/run/web/broken")
        raise AssertionError(f"taken for whole: {answer.status_code} {answer.content!r}")
    except requests.exceptions.RequestException:
        pass
    status = context.server.request("POST", "/run/web/x", (201,), data=b"1").status_code
    equal(status, 201, "after a broken answer")
    context.server.request("GET", "/run/web/exit", 502)
    context.server.request("POST", "/run/web/x", 201, data=b"1")


@case("an exposed service is reached without credentials, by requests and at its own path")
def exposed(context):
    base = ensure_page(context)
    answer = requests.get(context.server.api + base, timeout=60)
    equal((answer.history[0].status_code, answer.status_code), (301, 200), "the way to the slash")
    equal(answer.text.split("\n")[0], "GET /", "target")
    equal(answer.text.split("\n")[-1], f"base: {base}", "OSCAR_SERVICE_BASE_PATH")
    expect(f"x-forwarded-prefix: {base}" in answer.text.lower(), answer.text)
    for method in ("GET", "DELETE", "OPTIONS"):
        text = requests.request(method, context.server.api + base + "/deep/er?q=1", timeout=20).text
        equal(text.split("\n")[0], f"{method} /deep/er?q=1", method)
    equal(WebSocket(context, base + "/socket").exchange(b"hello"), b"HELLO", "WebSocket")


@case("set_auth wants the service's name and token, or with forward a token and then a cookie")
def protected(context):
    base = ensure_page(context, "locked", set_auth=True, rewrite_target=True)
    url = context.server.api + base + "/x"
    for given in (None, ("locked", "no"), auth(context)):
        answer = requests.get(url, auth=given, timeout=20)
        equal(answer.status_code, 401, f"as {given}")
        equal(answer.headers["WWW-Authenticate"], 'Basic realm="locked"', "realm")
    answer = requests.get(url, auth=("locked", token(context, "locked")), timeout=60)
    equal((answer.status_code, answer.text.split("\n")[0]), (200, f"GET {base}/x"), "with name and token")

    base = ensure_page(context, "gate", set_auth=True, auth_type="forward")
    url, secret = context.server.api + base + "/", token(context, "gate")
    equal(requests.get(url, timeout=20).status_code, 401, "without a token")
    equal(requests.get(url + "?token=no", timeout=20).status_code, 401, "with a wrong one")
    session = requests.Session()
    equal(session.get(url + "?token=" + secret, timeout=60).status_code, 200, "with the token")
    cookie = next(iter(cookie for cookie in session.cookies if cookie.name == "oscar_service_gate_auth"))
    equal((cookie.value, cookie.path), (secret, base), "cookie")
    equal(session.get(url, timeout=20).status_code, 200, "with the cookie")
    check = context.server.api + "/system/services/gate/auth"
    equal(requests.get(check, headers={"X-Forwarded-Uri": f"{base}/?token={secret}"}, timeout=20).status_code, 200, "auth")
    equal(requests.get(check, params={"token": "no"}, timeout=20).status_code, 401, "auth with a wrong token")


def state(context, name):
    return context.server.request("GET", f"/system/services/{name}/deployment", 200).json()


@case("oscar-python sees an exposed service; it is stopped, stays so over a restart, and starts again")
def life(context):
    base = ensure_page(context)
    client = Client(
        {
            "cluster_id": "apus",
            "endpoint": context.server.api,
            "user": context.server.user,
            "password": context.server.password,
            "ssl": False,
        }
    )
    service = json.loads(client.get_service("page").text)
    equal(len(service["expose"]["api_port"]), 1, "port")
    eventually(lambda: state(context, "page")["state"] == "ready", "the service is ready", 60)
    equal(state(context, "page")["resource_kind"], "exposed_service", "kind")
    requests.get(context.server.api + base + "/logged", timeout=20)
    log = "/system/services/page/deployment/logs?tailLines=50&timestamps=true"

    def logged():
        entries = context.server.request("GET", log, 200).json()["entries"]
        return [entry for entry in entries if "/logged" in entry["message"] and entry["timestamp"].endswith("Z")]

    eventually(logged, "the request is in the log")
    context.server.request("POST", "/system/services/page/stop", 200)
    eventually(lambda: state(context, "page")["active_instances"] == 0, "no instance is left", 60)
    equal(requests.get(context.server.api + base + "/", timeout=20).status_code, 503, "while it is stopped")
    context.server.stop()
    context.server.start()
    equal(state(context, "page")["state"], "stopped", "after a restart of Apus")
    context.server.request("POST", "/system/services/page/start", 200)
    equal(requests.get(context.server.api + base + "/", timeout=60).status_code, 200, "once it was started")
    context.server.request("POST", "/system/services/page/restart", 200)
    for _ in range(20):
        equal(requests.get(context.server.api + base + "/", timeout=60).status_code, 200, "while it is restarted")
    context.server.request("POST", "/system/services/web/stop", 400)

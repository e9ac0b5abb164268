"""A server function: a POST of some text is answered by it as Server-Sent Events, one a line, and one that ends it."""

import http.server
import os
import time


class Handler(http.server.BaseHTTPRequestHandler):
    """One answer in chunks, so that a stream that broke off can be told from one that ended."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self):
        lines = self.rfile.read(int(self.headers["Content-Length"])).decode().splitlines()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for line in lines:
            self.send_event(line)
            time.sleep(0.01)
        self.send_event("end")
        self.wfile.write(b"0\r\n\r\n")

    def send_event(self, line):
        event = f"data: {line}\n\n".encode()
        self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
        self.wfile.flush()

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()

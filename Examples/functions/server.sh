# Mode server: the program listens on PORT.
exec python3 -c "$(cat << 'END'
import http.server, os

class Shout(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):  # the health path
        self.answer(b"ok\n")

    def do_POST(self):
        self.answer(self.rfile.read(int(self.headers["Content-Length"])).upper())

http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Shout).serve_forever()
END
)"

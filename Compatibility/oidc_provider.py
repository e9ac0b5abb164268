"""An identity provider on this machine, as Keycloak is one: discovery, keys, userinfo, token endpoint; tokens by joserfc."""

import http.server
import json
import threading
import time
import urllib.parse

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from apus import free_port


class Provider:
    """One issuer; `stop` and `start` keep port and keys, `rotate` makes other keys."""

    def __init__(self, algorithm="RS256"):
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}/realms/lab"
        self.algorithm = algorithm
        self.number = 0
        self.asked = {}
        self.refresh_tokens = {}
        self.server = None
        self.rotate()

    def rotate(self):
        self.number += 1
        self.key = self.make_key(f"key-{self.number}")

    def make_key(self, kid):
        parameters = {"kid": kid, "use": "sig", "alg": self.algorithm}
        if self.algorithm.startswith("ES"):
            return ECKey.generate_key("P-256", parameters)
        return RSAKey.generate_key(2048, parameters)

    def token(self, sub, key=None, header=None, **changes):
        """An access token; a claim that is given as None is left out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "sub": sub,
            "aud": "account",
            "iat": now,
            "exp": now + 300,
            "typ": "Bearer",
            "name": sub.title(),
            "groups": ["/vo.lab"],
            "jti": f"{self.number}-{time.monotonic_ns()}",
        }
        claims.update(changes)
        claims = {name: value for name, value in claims.items() if value is not None}
        key = key or self.key
        fields = {"alg": self.algorithm, "kid": key.kid, "typ": "JWT"}
        fields.update(header or {})
        return jwt.encode(fields, claims, key, algorithms=[fields["alg"]])

    def start(self):
        provider = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, document):
                body = json.dumps(document).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                path = self.path.removeprefix("/realms/lab")
                provider.asked[path] = provider.asked.get(path, 0) + 1
                if path == "/.well-known/openid-configuration":
                    return self.answer(
                        200,
                        {
                            "issuer": provider.issuer,
                            "jwks_uri": provider.issuer + "/certs",
                            "userinfo_endpoint": provider.issuer + "/userinfo",
                            "token_endpoint": provider.issuer + "/token",
                        },
                    )
                if path == "/certs":
                    return self.answer(200, {"keys": [provider.key.as_dict(private=False)]})
                if path == "/userinfo":
                    token = self.headers.get("Authorization", "").removeprefix("Bearer ")
                    claims = jwt.decode(token, provider.key, algorithms=[provider.algorithm]).claims
                    return self.answer(
                        200, {"sub": claims["sub"], "name": "From Userinfo", "group_membership": ["/vo.lab"]}
                    )
                return self.answer(404, {})

            def do_POST(self):
                form = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                sub = provider.refresh_tokens.get(form.get("refresh_token", [""])[0])
                if sub is None:
                    return self.answer(400, {"error": "invalid_grant"})
                return self.answer(200, {"access_token": provider.token(sub), "expires_in": 300})

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

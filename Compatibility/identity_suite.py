"""Users who log in with an identity provider, their S3 keys, limits on failed logins, the audit log, and TLS."""

import base64
import json
import os
import ssl
import subprocess
import urllib.request

import boto3
import botocore.config
import botocore.exceptions
import requests
from apus import Apus, s3_client
from cases import case, equal, eventually, expect, random_bytes
from oidc_provider import Provider


class Cluster(Apus):
    """A cluster whose faces may speak TLS."""

    scheme = "http"

    @property
    def api(self):
        return f"{self.scheme}://127.0.0.1:{self.api_port}"

    @property
    def s3(self):
        return f"{self.scheme}://127.0.0.1:{self.s3_port}"

    @property
    def certificate(self):
        return os.path.join(self.data, "tls-certificate.pem")

    def get(self, path, token=None, **options):
        if token is not None:
            options["headers"] = {"Authorization": f"Bearer {token}"}
            options["auth"] = NoAuth()
        options.setdefault("timeout", 30)
        return requests.get(self.api + path, **options)


class NoAuth(requests.auth.AuthBase):
    """Keeps requests from looking for credentials elsewhere."""

    def __call__(self, request):
        return request


def cluster(context, name, provider=None, *flags):
    flags = list(flags)
    if provider:
        flags += ["--oidc-issuers", provider.issuer]
    return Cluster(name, context.folder, more_flags=flags)


def part(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


@case("a user comes in by a token, gets keys of their own, and uses them with boto3")
def user(context):
    with Provider() as provider:
        server = cluster(context, "users", provider, "--oidc-groups", "vo.lab", "--users-admin", "boss")
        server.start()
        try:
            token = provider.token("ada")
            for _ in range(3):
                equal(server.get("/system/info", token).status_code, 200, "status")
            equal(provider.asked["/certs"], 1, "fetches of keys")
            config = server.get("/system/config", token).json()
            equal(config["config"]["oidc_groups"], ["vo.lab"], "groups")
            keys = config["minio_provider"]
            equal(keys["access_key"], "ada", "access key")
            expect(keys["secret_key"] != server.secret_key, "the user got the administrator's key")
            client = s3_client(server.s3, keys["access_key"], keys["secret_key"])
            client.list_buckets()
            answer = server.request("GET", "/apus/v1/users", 200).json()
            equal([user["user"] for user in answer["users"]], ["ada"], "users")
            expect(keys["secret_key"] not in json.dumps(answer), "the list tells the secret")
            stored = open(os.path.join(server.data, "state.sqlite"), "rb").read()
            for name in ("state.sqlite", "state.sqlite-wal"):
                path = os.path.join(server.data, name)
                if os.path.exists(path):
                    stored = open(path, "rb").read()
                    expect(keys["secret_key"].encode() not in stored, f"{name} holds the secret in clear")
            # The keys outlive a restart, and stop at once where the user is disabled.
            server.stop()
            server.start()
            client.list_buckets()
            server.request("POST", "/apus/v1/users/ada/disable", 200)
            try:
                client.list_buckets()
                expect(False, "a disabled user's keys work")
            except botocore.exceptions.ClientError as error:
                equal(error.response["Error"]["Code"], "InvalidAccessKeyId", "code")
            equal(server.get("/system/info", provider.token("ada")).status_code, 401, "status")
        finally:
            server.stop()


@case("a user's quota holds for S3 clients, too: buckets, bytes in one, and what is deleted counts no more")
def quota(context):
    with Provider() as provider:
        server = cluster(context, "quotas", provider)
        server.start()
        try:
            token = provider.token("ada")
            keys = server.get("/system/config", token).json()["minio_provider"]
            wanted = {"minio": {"buckets": "1", "storage_per_bucket": "4Ki"}}
            answer = server.request("PUT", "/system/quotas/user/ada", 200, json=wanted).json()
            equal(answer["minio"]["buckets"], {"max": 1, "used": 0}, "quota of buckets")
            client = s3_client(server.s3, keys["access_key"], keys["secret_key"])
            client.create_bucket(Bucket="adas")

            def refused(code, work):
                try:
                    work()
                except botocore.exceptions.ClientError as error:
                    return equal(error.response["Error"]["Code"], code, "code")
                raise AssertionError(f"no {code}")

            refused("TooManyBuckets", lambda: client.create_bucket(Bucket="adas-second"))
            client.put_object(Bucket="adas", Key="a", Body=b"x" * 3000)
            refused("QuotaExceeded", lambda: client.put_object(Bucket="adas", Key="b", Body=b"x" * 2000))
            equal([entry["Key"] for entry in client.list_objects_v2(Bucket="adas")["Contents"]], ["a"], "objects")
            client.delete_object(Bucket="adas", Key="a")
            client.put_object(Bucket="adas", Key="b", Body=b"x" * 4096)
            equal(server.get("/system/quotas/user", token).json()["minio"]["storage_total"]["used"], "4Ki", "bytes used")
        finally:
            server.stop()


@case("what the token does not say is asked of the userinfo")
def userinfo(context):
    with Provider() as provider:
        server = cluster(context, "userinfo", provider, "--oidc-groups", "vo.lab")
        server.start()
        try:
            token = provider.token("bob", name=None, groups=None)
            equal(server.get("/system/info", token).status_code, 200, "status")
            equal(server.get("/system/info", token).status_code, 200, "status")
            equal(provider.asked["/userinfo"], 1, "questions")
            equal(server.request("GET", "/apus/v1/users/bob", 200).json()["name"], "From Userinfo", "name")
            equal(server.get("/system/info", provider.token("eve", groups=["other"])).status_code, 401, "status")
        finally:
            server.stop()


@case("tokens that are not good are refused, on every route, and nobody is let in by them")
def bad_tokens(context):
    with Provider() as provider, Provider() as other:
        server = cluster(context, "bad", provider, "--oidc-audience", "account")
        server.start()
        try:
            good = provider.token("ada")
            header, payload, signature = good.split(".")
            thief = provider.make_key(provider.key.kid)
            bad = {
                "expired": (provider.token("eve", exp=1), 401),
                "not yet": (provider.token("eve", nbf=4_000_000_000), 401),
                "no exp": (provider.token("eve", exp=None), 401),
                "wrong signature": (provider.token("eve", key=thief), 401),
                "changed": (f"{header}.{part({'iss': provider.issuer, 'sub': 'eve', 'exp': 4e9})}.{signature}", 401),
                "alg none": (f"{part({'alg': 'none'})}.{payload}.", 401),
                "alg none with signature": (f"{part({'alg': 'none'})}.{payload}.{signature}", 401),
                "HMAC with the public key": (f"{part({'alg': 'HS256', 'kid': provider.key.kid})}.{payload}.{signature}", 401),
                "wrong issuer": (other.token("eve"), 401),
                "issuer of another's key": (other.token("eve", iss=provider.issuer), 401),
                "wrong audience": (provider.token("eve", aud="other"), 401),
                "ID token": (provider.token("eve", typ="ID"), 401),
                "no JWT": ("abc", 400),
                "no JSON": ("YQ.YQ.YQ", 400),
                "huge": ("a." + "b" * 40_000 + ".c", 400),
            }
            for name, (token, status) in bad.items():
                for path in ("/system/info", "/system/services", "/apus/v1/jobs", "/apus/v1/users/x"):
                    equal(server.get(path, token).status_code, status, f"{name} at {path}")
                answer = requests.post(
                    server.api + "/run/none", headers={"Authorization": f"Bearer {token}"}, data="x", timeout=30
                )
                equal(answer.status_code, status, f"{name} at /run")
            answer = server.get("/system/info", other.token("eve"))
            equal(answer.text, f"'{other.issuer}' is not listed as an authorized issuer", "text")
            equal(server.request("GET", "/apus/v1/users", 200).json()["users"], [], "users")
            equal(server.get("/system/info", good).status_code, 200, "status of a good one")
        finally:
            server.stop()


@case("keys that change are fetched; a provider that is down is said to be, and holds nobody up")
def rotation(context):
    for algorithm in ("RS256", "ES256", "PS256"):
        provider = Provider(algorithm)
        provider.start()
        server = cluster(context, f"rotation-{algorithm}", provider)
        server.start()
        try:
            old = provider.token("ada")
            equal(server.get("/system/info", old).status_code, 200, "status")
            provider.rotate()
            equal(server.get("/system/info", provider.token("ada")).status_code, 200, "status after the change")
            provider.stop()
            # What is known goes on; what is new and needs nothing fetched, too.
            equal(server.get("/system/info", old).status_code, 200, "status of a known token")
            equal(server.get("/system/info", provider.token("ada")).status_code, 200, "status without the provider")
            unknown = provider.token("ada", key=provider.make_key("new"))
            answer = server.get("/system/info", unknown, timeout=20)
            # Keys were fetched a moment ago: where they are not to be fetched again yet, the key counts as one that nobody has.
            expect(answer.status_code in (401, 503), f"status of a token that needs the provider: {answer.status_code}")
            expect(answer.status_code == 401 or "Retry-After" in answer.headers, "no Retry-After")
            equal(server.request("GET", "/system/info").status_code, 200, "status of the administrator")
        finally:
            server.stop()


@case("who fails often waits, at both faces; what has worked goes on")
def limits(context):
    server = cluster(context, "limits")
    server.start()
    try:
        good = server.boto()
        good.list_buckets()
        server.request("GET", "/system/info", 200)
        statuses = [
            requests.get(server.api + "/system/info", auth=(server.user, f"guess {number}"), timeout=10).status_code
            for number in range(15)
        ]
        equal(statuses[:10], [401] * 10, "the first")
        expect(set(statuses[10:]) == {429}, f"the next: {statuses}")
        try:
            s3_client(server.s3, "nobody", "wrong-secret").list_buckets()
            expect(False, "a wrong key works")
        except botocore.exceptions.ClientError as error:
            equal(error.response["Error"]["Code"], "SlowDown", "code")
        good.list_buckets()
        server.request("GET", "/system/info", 200)
    finally:
        server.stop()


@case("the audit log tells who changed what and who was refused, and no secrets")
def audit(context):
    with Provider() as provider:
        server = cluster(context, "audit", provider, "--users-admin", "boss", "--audit-objects")
        server.start()
        try:
            server.create_service("told", "true\n")
            server.boto().create_bucket(Bucket="told-bucket")
            server.boto().put_object(Bucket="told-bucket", Key="x", Body=b"1")
            try:
                s3_client(server.s3, "nobody", "wrong-secret").list_buckets()
            except botocore.exceptions.ClientError:
                pass
            requests.get(server.api + "/system/info?token=geheim", auth=("eve", "geheim"), timeout=10)

            def entries():
                lines = server.request("GET", "/apus/v1/audit?limit=1000", 200).json()["entries"]
                seen = {(line["action"], line["principal"], line["status"]) for line in lines}
                wanted = {
                    ("POST /system/services", server.user, 201),
                    ("CreateBucket", server.user, 200),
                    ("PutObject", server.user, 200),
                    ("ListBuckets", "anonymous", 403),
                    ("GET /system/info", "anonymous", 401),
                }
                return lines if wanted <= seen else None

            lines = eventually(entries, "the lines")
            text = json.dumps(lines)
            for secret in ("geheim", server.password, server.secret_key, "wrong-secret"):
                expect(secret not in text, f"{secret} stands in the audit log")
            first = server.request("GET", "/apus/v1/audit?limit=2", 200).json()
            second = server.request("GET", f"/apus/v1/audit?limit=2&after={first['next']}", 200).json()
            pages = [line["time"] for line in first["entries"] + second["entries"]]
            equal((len(pages), pages), (4, sorted(pages, reverse=True)), "pages")
            equal(server.get("/apus/v1/audit", provider.token("ada")).status_code, 403, "status for a user")
            equal(server.get("/apus/v1/audit", provider.token("boss")).status_code, 200, "status for an operator")
            folder = os.path.join(server.data, "audit")
            expect(all(os.stat(os.path.join(folder, name)).st_mode & 0o077 == 0 for name in os.listdir(folder)), "modes")
        finally:
            server.stop()


def secure_boto(server, certificate):
    return boto3.client(
        "s3",
        endpoint_url=server.s3,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        verify=certificate,
        config=botocore.config.Config(retries={"total_max_attempts": 1, "mode": "standard"}),
    )


def start_secure(server):
    """As `start`, which asks over plain HTTP."""
    server.scheme = "https"
    original = requests.get

    def get(url, **options):
        options.setdefault("verify", server.certificate if os.path.exists(server.certificate) else False)
        return original(url, **options)

    requests.get = get
    try:
        server.start()
    finally:
        requests.get = original


@case("TLS with a certificate of the cluster's own: API, boto3, large objects, runs, the command line")
def self_signed(context):
    server = cluster(context, "tls", None, "--tls-self-signed")
    start_secure(server)
    try:
        certificate = server.certificate
        config = server.request("GET", "/system/config", 200, verify=certificate).json()["minio_provider"]
        equal((config["endpoint"], config["verify"]), (server.s3, False), "provider")
        client = secure_boto(server, certificate)
        client.create_bucket(Bucket="tls")
        for size in (0, 1, 70_000, 9 * 1024 * 1024 + 5):
            body = random_bytes(size)
            client.put_object(Bucket="tls", Key="x", Body=body)
            expect(client.get_object(Bucket="tls", Key="x")["Body"].read() == body, f"{size} bytes differ")
            if size > 1000:
                got = client.get_object(Bucket="tls", Key="x", Range="bytes=100-60099")["Body"].read()
                expect(got == body[100:60100], "the range differs")
        body = {"name": "echo", "script": 'cat "$INPUT_FILE_PATH"', "cpu": "0.1", "memory": "256Mi", "sandbox": "process"}
        server.request("POST", "/system/services", 201, data=json.dumps(body), verify=certificate)
        text = base64.b64encode(b"hello").decode()
        answer = server.request("POST", "/run/echo", 200, data=text, verify=certificate)
        equal(answer.text.strip(), "hello", "run")
        environment = dict(os.environ, APUS_ENDPOINT=server.api, APUS_USERNAME=server.user, APUS_PASSWORD=server.password)
        command = [server.binary, "cluster", "info"]
        expect(subprocess.run(command, env=environment, capture_output=True).returncode == 5, "an unknown certificate")
        for flags in (["--ca-certificate", certificate], ["--insecure"]):
            done = subprocess.run(command + flags, env=environment, capture_output=True)
            expect(done.returncode == 0, f"{flags}: {done.stderr}")
        for old in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            weak = ssl.create_default_context(cafile=certificate)
            weak.minimum_version = weak.maximum_version = old
            try:
                urllib.request.urlopen(server.api + "/health", context=weak, timeout=5)
                expect(False, f"{old} is spoken")
            except OSError:
                pass
        before = open(certificate).read()
        server.stop()
        start_secure(server)
        equal(open(certificate).read(), before, "the certificate after a restart")
    finally:
        server.stop()


@case("certificates from files are taken anew when they change; broken ones are not")
def files(context):
    def make(name):
        subprocess.run(
            [
                *["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"],
                *["-days", "30", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"],
                *["-keyout", context.path("key.pem"), "-out", context.path("certificate.pem")],
            ],
            check=True,
            capture_output=True,
        )

    def served(server):
        return ssl.get_server_certificate(("127.0.0.1", server.api_port))

    make("one")
    flags = ["--tls-certificate", context.path("certificate.pem"), "--tls-key", context.path("key.pem")]
    server = cluster(context, "files", None, *flags)
    start_secure(server)
    try:
        first = open(context.path("certificate.pem")).read()
        equal(served(server).split(), first.split(), "certificate")
        with open(context.path("certificate.pem"), "w") as file:
            file.write("nonsense")
        eventually(lambda: "the old one holds on" in server.log_tail(5), "a line in the log", seconds=25)
        equal(served(server).split(), first.split(), "certificate while the file is broken")
        make("two")
        second = open(context.path("certificate.pem")).read()
        eventually(lambda: served(server).split() == second.split(), "the new certificate", seconds=25)
    finally:
        server.stop()

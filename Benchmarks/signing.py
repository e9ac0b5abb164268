"""Signs requests to an object store as AWS does, Signature Version 4, with the standard library only."""

import datetime
import hashlib
import hmac

UNSIGNED = "UNSIGNED-PAYLOAD"


class Signer:
    """The keys for one host; makes the headers of a request. The derived key is kept for the day."""

    def __init__(self, host, access_key, secret_key, region="us-east-1"):
        self.host, self.access_key, self.secret_key, self.region = host, access_key, secret_key, region
        self.date = self.key = None

    def headers(self, method, path, query="", digest=UNSIGNED):
        """The headers to send. Path and query are percent-encoded, the query's pairs are in order of their names."""
        time_text = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        date = time_text[:8]
        if date != self.date:
            self.key, self.date = self.derive(date), date
        lines = f"host:{self.host}\nx-amz-content-sha256:{digest}\nx-amz-date:{time_text}\n"
        names = "host;x-amz-content-sha256;x-amz-date"
        hashed = hashlib.sha256(f"{method}\n{path}\n{query}\n{lines}\n{names}\n{digest}".encode()).hexdigest()
        scope = f"{date}/{self.region}/s3/aws4_request"
        text = f"AWS4-HMAC-SHA256\n{time_text}\n{scope}\n{hashed}"
        signature = hmac.digest(self.key, text.encode(), "sha256").hex()
        return {
            "host": self.host, "x-amz-content-sha256": digest, "x-amz-date": time_text,
            "authorization":
                f"AWS4-HMAC-SHA256 Credential={self.access_key}/{scope}, SignedHeaders={names}, Signature={signature}",
        }

    def derive(self, date):
        key = ("AWS4" + self.secret_key).encode()
        for part in (date, self.region, "s3", "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key

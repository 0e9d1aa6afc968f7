"""How an object store is reached: its URL, its endpoint and region, and what its errors mean.

pyarrow and polars find credentials themselves: keys in the environment, a container's or a machine's role. What the two
read differently is read here, once, and given to both.
"""

import errno
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from lrsym.errors import ObjectStoreError, UsageError, file_sentence

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem as ArrowFileSystem

SCHEMES = ("s3", "gs")

CONNECT_SECONDS, SILENCE_SECONDS, READ_SECONDS = 2.0, 3.0, 30
"""How long a server may take to accept a connection, may send nothing, and may take for what polars reads at once."""

MAX_ATTEMPTS, RETRY_SECONDS = 4, 10
"""How often a request is made in all before an error that may pass counts, with growing waits, and for how long."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")
"""https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html, and the underscores of other stores."""

_SHAPE = "s3://bucket/prefix or gs://bucket/prefix"


def parse_url(url: str) -> tuple[str, str, str]:
    """Return scheme, bucket and prefix of the URL of an object store, without slashes at its end.

    Raises UsageError for what is none. A message never repeats what stands before an @, which may be a secret.
    """
    scheme, _, rest = url.partition(":")
    if scheme.lower() not in SCHEMES:
        raise UsageError(f"results must be a folder, {_SHAPE}, got {shown(url)}; mount what it names as a folder")
    if not rest.startswith("//"):
        raise UsageError(
            f"results must be a folder or {_SHAPE}, got {shown(url)}; give two slashes, and from Python a text: "
            "a pathlib.Path swallows one"
        )
    bucket, _, prefix = rest[2:].rstrip("/").partition("/")
    if not _BUCKET.fullmatch(bucket):
        raise UsageError(
            f"a bucket's name has 3 to 63 lower-case letters, digits, dots and hyphens, got {shown(url)}; write "
            f"{scheme.lower()}://bucket/prefix"
        )
    wrong = next((part for part in prefix.split("/") if part in ("", ".", "..")), None) if prefix else None
    if wrong is not None or not prefix.isprintable():
        raise UsageError(
            f"a prefix is names with single slashes between them, none of them . or .., got {shown(url)}; write for "
            f"example {scheme.lower()}://{bucket}/results"
        )
    return scheme.lower(), bucket, prefix


def shown(url: str) -> str:
    """Return a text with URLs for messages and files, without what may be a secret: before an @, or named as one."""
    masked = re.sub(r"(:/{1,2})\S*@", r"\1***@", url)
    return re.sub(r"\b(password|passwd|pwd|token|secret|key)=[^&\s]*", r"\1=***", masked, flags=re.IGNORECASE)


@dataclass(frozen=True)
class Access:
    """Endpoint and region of a store that speaks S3; None is what the libraries take by themselves."""

    endpoint: str | None
    region: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Return what AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL, AWS_ALLOW_HTTP, AWS_REGION or AWS_DEFAULT_REGION say.

        An endpoint without a scheme is spoken to by HTTPS, or by HTTP where that is allowed. Raises UsageError for what
        is no endpoint.
        """
        read = environment.get
        endpoint = read("AWS_ENDPOINT_URL_S3") or read("AWS_ENDPOINT_URL") or None
        if endpoint is not None:
            given, allowed = endpoint, read("AWS_ALLOW_HTTP", "").lower() in ("1", "true", "yes", "on")
            if "://" not in endpoint:
                endpoint = f"{'http' if allowed else 'https'}://{endpoint}"
            endpoint = endpoint.rstrip("/")
            if not re.fullmatch(r"https?://[^/@\s]+", endpoint):
                raise UsageError(
                    "AWS_ENDPOINT_URL must be http://host:port or https://host:port, without a path and without "
                    f"keys, got {shown(given)}; put that right, or unset it for Amazon's own"
                )
        return cls(endpoint, read("AWS_REGION") or read("AWS_DEFAULT_REGION") or None)

    def arrow(self, scheme: str) -> "ArrowFileSystem":
        """Return the file system of pyarrow for URLs of that scheme."""
        from pyarrow import fs

        if scheme == "gs":
            from datetime import timedelta

            return fs.GcsFileSystem(retry_time_limit=timedelta(seconds=SILENCE_SECONDS))  # of each of several requests
        protocol, _, host = (self.endpoint or "https://").partition("://")
        return fs.S3FileSystem(
            endpoint_override=host or None,
            scheme=protocol,
            region=self.region,
            connect_timeout=CONNECT_SECONDS,
            request_timeout=SILENCE_SECONDS,
            retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=MAX_ATTEMPTS),
            allow_delayed_open=True,
        )

    def polars(self, scheme: str) -> dict[str, Any]:
        """Return the storage options of polars for URLs of that scheme; no secret is among them."""
        options: dict[str, Any] = {
            "max_retries": MAX_ATTEMPTS - 1, "retry_timeout_ms": RETRY_SECONDS * 1000, "timeout": f"{READ_SECONDS} s",
        }  # fmt: skip
        if scheme == "s3" and self.region:
            options["aws_region"] = self.region
        if scheme == "s3" and self.endpoint:
            options |= {
                "aws_endpoint_url": self.endpoint,
                "aws_allow_http": str(self.endpoint.startswith("http://")).lower(),
                "aws_region": self.region or "us-east-1",
            }
        return options


def storage_options(address: str) -> dict[str, Any] | None:
    """Return what polars needs to read `address`: its storage options; None for a file of this machine."""
    scheme, separator, _ = address.partition("://")
    return Access.from_environment().polars(scheme) if separator and scheme in SCHEMES else None


_CAUSES = (
    (r"NO_SUCH_BUCKET|NoSuchBucket", errno.ENOENT, "there is no such bucket",
     "create it, or check its name, AWS_REGION and AWS_ENDPOINT_URL"),
    (r"INVALID_ACCESS_KEY|SIGNATURE_DOES_NOT_MATCH|INVALID_SIGNATURE|INVALID_CLIENT_TOKEN|UNRECOGNIZED_CLIENT"
     r"|EXPIRED_TOKEN|InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|AuthFailure",
     errno.EACCES, "the object store does not accept the key",
     "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN"),
    (r"ACCESS_DENIED|AccessDenied|status 403|Forbidden", errno.EACCES, "no permission",
     "give credentials that may list, read, write and delete there (s3:ListBucket, s3:GetObject, s3:PutObject, "
     "s3:DeleteObject)"),
    (r"OAuth2|UNAUTHENTICATED", errno.EACCES, "Google Cloud Storage has no credentials",
     "set GOOGLE_APPLICATION_CREDENTIALS"),
    (r"status 301|PermanentRedirect", errno.EREMOTE, "the bucket is in another region", "set AWS_REGION to that"),
    (r"NETWORK_CONNECTION|curlCode|error sending request|Connection refused|REQUEST_TIMEOUT|timed out",
     errno.EHOSTUNREACH, "the object store does not answer",
     "check AWS_ENDPOINT_URL and the network, then run the same command again"),
    (r"SLOW_DOWN|THROTTLING|SERVICE_UNAVAILABLE|INTERNAL_FAILURE|status (code: )?(5\d\d|429)", errno.EIO,
     "the object store failed again and again", "run the same command again later"),
)  # fmt: skip
"""What the errors of pyarrow and polars tell, in this order: a pattern, the number, why, and what helps."""


def object_store_error(error: Exception, address: str) -> ObjectStoreError:
    """Return the error of one line for what pyarrow or polars raised about `address`."""
    text = " ".join(str(error).split())
    for pattern, number, why, remedy in _CAUSES:
        if re.search(pattern, text):
            return ObjectStoreError(number, why, address, remedy=remedy)
    return ObjectStoreError(errno.EIO, text[:300], address, remedy="put that right and run the same command again")


def sentence(error: OSError) -> str:
    """Return what a user can do about a file, an object, or another resource that could not be had."""
    if _OF_POLARS not in str(error):
        return file_sentence(error)
    address = re.search(r"(?:s3|gs)://[^\s)]*|https?://\S+", str(error))
    return str(object_store_error(error, address[0] if address else "the results"))


_OF_POLARS = "object-store error"
"""The beginning of what polars raises for objects."""

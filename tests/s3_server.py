"""`python -m tests.s3_server [HOST]`: a server, on loopback if not told, that speaks S3, and misbehaves as it is told.

It prints its port. Objects live in its memory. A POST to /-/ with JSON tells it what to do: answer the next `times`
requests, or every so many of them, whose method is in `methods` and whose path matches `path` with `status`; let each
request wait `delay` seconds; `remember` the pages of a listing, which it puts together in Python, until something
changes. It answers with the number of requests so far.
"""

import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from contextlib import contextmanager

LOOPBACK = "127.0.0.1"
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


class Misbehaving:
    """The application behind a door that counts, delays and refuses."""

    def __init__(self, application):
        self._application = application
        self._requests, self._fault, self._delay = Counter(), None, 0.0
        self._remembers, self._pages = False, {}

    def __call__(self, environ, start_response):
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        if path == "/-/":
            return self._told(json.loads(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))), start_response)
        self._requests[method] += 1
        time.sleep(self._delay)
        fault = self._fault
        if fault and fault["times"] and method in fault["methods"] and re.search(fault["path"], path):
            fault["times"] -= 1
            if fault["times"] % fault["every"]:
                return self._application(environ, start_response)
            code = {503: "SlowDown", 403: "AccessDenied"}.get(fault["status"], "InternalError")
            start_response(f"{fault['status']} {code}", [("Content-Type", "application/xml")])
            body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>as told</Message></Error>".encode()
            return [] if method == "HEAD" else [body]
        if self._remembers and method == "GET" and "list-type" in environ["QUERY_STRING"]:
            return self._page(environ, start_response)
        if method not in ("GET", "HEAD"):
            self._pages = {}
        return self._application(environ, start_response)

    def _page(self, environ, start_response):
        """Answer with a page of a listing as it was when it was asked for first."""
        asked, pages = (environ["PATH_INFO"], environ["QUERY_STRING"]), self._pages
        if asked not in pages:
            head = []
            body = b"".join(self._application(environ, lambda *told: head.extend(told)))
            pages[asked] = head, body
        head, body = pages[asked]
        start_response(*head)
        return [body]

    def _told(self, order, start_response):
        if "fail" in order:
            self._fault = {
                "times": -1, "every": 1, "methods": ["GET", "PUT", "POST", "HEAD", "DELETE"], "path": "",
                **order["fail"],
            }  # fmt: skip
        self._delay = order.get("delay", self._delay)
        self._remembers = order.get("remember", self._remembers)
        start_response("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(self._requests).encode()]


def main():
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"  # connections are kept, as everywhere

        def log(self, *_):
            pass

    application = Misbehaving(DomainDispatcherApplication(create_backend_app))
    server = make_server(*sys.argv[1:] or [LOOPBACK], 0, application, threaded=True, request_handler=Quiet)
    print(server.server_port, flush=True)
    server.serve_forever()


class S3Server:
    """A server that runs, and the environment in which processes find it."""

    def __init__(self, host, port):
        self.endpoint = f"http://{host}:{port}"
        self.environment = {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
        }  # fmt: skip

    def tell(self, **order):
        """Make the server do something from now on; return how many requests of each method there were."""
        request = urllib.request.Request(f"{self.endpoint}/-/", json.dumps(order).encode(), method="POST")
        with urllib.request.urlopen(request) as answer:
            return Counter(json.load(answer))

    def reset_faults(self):
        """Make the server behave."""
        self.tell(fail={"times": 0, "status": 200}, delay=0)
        self._post("moto-api/reset-auth", b"inf")

    def require_known_keys(self):
        """Refuse every key: nobody has been given one."""
        self._post("moto-api/reset-auth", b"0")

    def _post(self, path, content):
        headers = {"Content-Type": "text/plain"}
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{path}", content, headers)).close()

    def reset(self):
        """Forget all objects and faults."""
        self.reset_faults()
        self._post("moto-api/reset", b"")

    def make_bucket(self, name="bucket"):
        """Make a bucket."""
        urllib.request.urlopen(urllib.request.Request(f"{self.endpoint}/{name}", b"", method="PUT")).close()


@contextmanager
def running(host=LOOPBACK):
    """Yield a server in a process of its own, which ends with the context."""
    words = [sys.executable, "-m", "tests.s3_server", host]
    environment = {**os.environ, "MOTO_S3_CUSTOM_ENDPOINTS": ""}
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, env=environment)
    try:
        yield S3Server(host, int(process.stdout.readline()))
    finally:
        process.kill()
        process.communicate()


if __name__ == "__main__":
    main()

"""The page that shows a sweep while it runs: what it serves, and to whom."""

import http.client
import json
import threading

import pytest

from lrsym.errors import UsageError
from lrsym.results.pages.watch_page import WatchServer
from tests.running import HANG_SECONDS

STATE = {"lines": ["</script><b>"], "pictures": {}, "over": False, "at": "now"}


def server(state=lambda: STATE, port=0):
    return WatchServer(state, title="<i>demo", pictures={"phase": "Phase"}, seconds=5, port=port)


@pytest.fixture
def ask():
    """What the page's server answers to a path: status, headers, body."""
    with server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()

        def answer(path, host=None):
            connection = http.client.HTTPConnection("127.0.0.1", running.server_port, timeout=HANG_SECONDS)
            connection.request("GET", path, headers={} if host is None else {"Host": host})
            response = connection.getresponse()
            return response.status, dict(response.getheaders()), response.read()

        yield answer
        running.shutdown()
        thread.join()


@pytest.mark.slow
def test_the_page_brings_its_scripts_along_escapes_its_texts_and_may_ask_nobody_else(ask):
    status, headers, page = ask("/")
    assert status == 200
    assert b"<h1>&lt;i&gt;demo</h1>" in page
    assert b"vegaEmbed" in page
    assert b'src="http' not in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert "connect-src 'self'" in headers["Content-Security-Policy"]


def test_the_state_is_asked_for_each_time(ask):
    status, headers, body = ask("/state.json")
    assert (status, json.loads(body)) == (200, STATE)
    assert headers["Content-Type"] == "application/json"


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("path", ["/results", "/../pyproject.toml", "/state.json/.."])
def test_there_is_nothing_else_to_be_had(ask, path):
    assert ask(path)[0] == 404


@pytest.mark.slow_after(1)
@pytest.mark.parametrize("host", ["example.org", "example.org:80", "127.0.0.1:1"])
def test_a_page_of_somewhere_else_whose_name_leads_here_gets_nothing(ask, host):
    assert ask("/state.json", host)[0] == 403


def test_it_listens_on_loopback_alone():
    with server() as running:
        assert running.server_address[0] == "127.0.0.1"


def test_a_port_that_is_taken_is_refused_with_the_remedy():
    with server() as first, pytest.raises(UsageError, match=rf"--port .* {first.server_port} is taken; leave it out"):
        server(port=first.server_port)

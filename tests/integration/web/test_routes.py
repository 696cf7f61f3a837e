"""Every route answers what operations.md promises, over a real socket."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest

from celery_sentinel import errors, web
from celery_sentinel.status import schema as status_schema
from tests.integration.web.test_limits import ENOUGH
from tests.servers import fetch

if TYPE_CHECKING:
    from tests.integration.web import conftest


PATHS = ["/", "/metrics", "/-/healthy", "/-/ready", "/api/v1/status"]

TEXT_0 = "text/plain; version=0.0.4; charset=utf-8"
TEXT_1 = "text/plain; version=1.0.0; charset=utf-8; escaping=allow-utf-8"
OPENMETRICS_1 = "application/openmetrics-text; version=1.0.0; charset=utf-8; escaping=allow-utf-8"


@pytest.mark.parametrize(
    ("accept", "content_type", "body"),
    [
        ("*/*", TEXT_0, b"celery_broker_up 1\n"),
        ("text/plain;version=1.0.0;escaping=allow-utf-8", TEXT_1, b"celery_broker_up 1\n"),
        (
            "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8,*/*;q=0.1",
            OPENMETRICS_1,
            b"celery_broker_up 1\n# EOF\n",
        ),
    ],
)
def test_metrics_formats(
    serve: conftest.Serve, accept: str, content_type: str, body: bytes
) -> None:
    """Each format comes with its own Content-Type and rendering."""
    response = fetch.get(f"{serve().url}/metrics", headers={"Accept": accept})

    assert response.status_code == 200
    assert response.headers["Content-Type"] == content_type
    assert response.content == body
    assert response.headers["Vary"] == "Accept, Accept-Encoding"


@pytest.mark.parametrize(
    ("accept_encoding", "compressed"),
    [("gzip", True), ("gzip;q=0", False), ("identity", False), ("br, gzip;q=0.1", True)],
)
def test_gzip(
    serve: conftest.Serve, backend: conftest.Backend, accept_encoding: str, compressed: bool
) -> None:
    """A compressed response is announced, smaller, and unpacks to the exposition."""
    backend.metrics.body = b"celery_task_sent_total 1\n" * 10_000

    with (
        httpx.Client(headers={"Accept-Encoding": accept_encoding}, timeout=30) as client,
        client.stream("GET", f"{serve().url}/metrics") as response,
    ):
        raw = b"".join(response.iter_raw())

    assert ("Content-Encoding" in response.headers) is compressed
    assert int(response.headers["Content-Length"]) == len(raw)
    assert (gzip.decompress(raw) if compressed else raw) == backend.metrics.body


def test_large_exposition_arrives_whole(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """Ten megabytes, sent in pieces, are the same ten megabytes."""
    backend.metrics.body = b"".join(b"a_total{n=%d} 1\n" % n for n in range(600_000))

    response = fetch.get(f"{serve().url}/metrics", headers={"Accept-Encoding": "identity"})

    assert len(response.content) > 9_000_000
    assert response.content == backend.metrics.body


def test_telemetry_path(serve: conftest.Serve) -> None:
    """Metrics are where the operator wants them and nowhere else; the page links there."""
    url = serve(telemetry_path="/celery/metrics").url

    assert fetch.get(f"{url}/celery/metrics").status_code == 200
    assert fetch.get(f"{url}/metrics").status_code == 404
    assert 'href="./celery/metrics"' in fetch.get(url).text


def test_metrics_on_the_root(serve: conftest.Serve) -> None:
    """Who wants metrics on `/` gets metrics and no page."""
    assert fetch.get(f"{serve(telemetry_path='/').url}/").headers["Content-Type"] == TEXT_0


@pytest.mark.parametrize(
    "path", ["metrics", "", "//x", "/a{b}", "/a b", "/a?b", "/a%20b", "/-/ready", "/api/v1/status"]
)
def test_unusable_telemetry_path(serve: conftest.Serve, path: str) -> None:
    """A path that cannot be served, or is taken, is an error of configuration that names it."""
    with pytest.raises(errors.ConfigError, match=r"web\.telemetry_path is ") as raised:
        serve(telemetry_path=path)

    assert repr(path) in str(raised.value)


@pytest.mark.parametrize("path", PATHS)
def test_head(serve: conftest.Serve, path: str) -> None:
    """HEAD has the status and the headers of GET, and no body."""
    with httpx.Client(base_url=serve().url, timeout=30) as client:
        full, head = client.get(path), client.head(path)

    assert head.status_code == full.status_code == 200
    assert head.content == b""
    assert head.headers["Content-Length"] == full.headers["Content-Length"]
    assert head.headers["Content-Type"] == full.headers["Content-Type"]


def test_unknown_paths(serve: conftest.Serve) -> None:
    """What is not served is 404 in plain text, with no redirect."""
    paths = ["/nothing", "/metrics/", "/-/reload", "/%2e%2e/etc/passwd", "/favicon.ico"]
    with httpx.Client(base_url=serve().url, timeout=30) as client:
        responses = [client.get(path) for path in paths]

    assert {(response.status_code, response.text) for response in responses} == {
        (404, "Not Found\n")
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_other_methods(serve: conftest.Serve, method: str) -> None:
    """A method that a path does not have is 405 and says which it has."""
    with httpx.Client(base_url=serve().url, timeout=30) as client:
        responses = [client.request(method, path) for path in PATHS]

    assert {response.status_code for response in responses} == {405}
    assert {response.headers["Allow"] for response in responses} == {"GET, HEAD"}


def test_common_headers(serve: conftest.Serve) -> None:
    """Every response forbids storing, sniffing and referring, and does not name the server."""
    with httpx.Client(base_url=serve().url, timeout=30) as client:
        answers = [client.get(path).headers for path in (*PATHS, "/nothing")]

    assert {headers["Cache-Control"] for headers in answers} == {"no-store"}
    assert {headers["X-Content-Type-Options"] for headers in answers} == {"nosniff"}
    assert {headers["Referrer-Policy"] for headers in answers} == {"no-referrer"}
    assert not [headers for headers in answers if "Server" in headers]


@pytest.mark.parametrize(("path", "adjective"), [("/-/healthy", "healthy"), ("/-/ready", "ready")])
def test_probes(
    serve: conftest.Serve, backend: conftest.Backend, path: str, adjective: str
) -> None:
    """A probe is 200 while all is well, else 503 with a line for each reason."""
    url = serve().url
    good = fetch.get(url + path)
    setattr(backend, adjective, web.Health(ok=False, reasons=("broker is down", "no events")))
    bad = fetch.get(url + path)

    assert (good.status_code, good.text) == (200, f"{adjective}\n")
    assert (bad.status_code, bad.text) == (503, f"not {adjective}\nbroker is down\nno events\n")


def test_status(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """The JSON is the status document, whole."""
    response = fetch.get(f"{serve().url}/api/v1/status")

    assert response.headers["Content-Type"] == "application/json"
    assert msgspec.json.decode(response.content, type=status_schema.Status) == backend.status


def test_hostile_names(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """Names with markup, and even without UTF-8, leave page and JSON whole."""
    notes = ("<script>alert(1)</script>", "\ud800", "\u202e")
    backend.status = msgspec.structs.replace(backend.status, notes=notes)
    url = serve().url

    page = fetch.get(url)
    told = fetch.get(f"{url}/api/v1/status")

    assert "<script" not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    assert tuple(json.loads(told.content)["notes"]) == notes


def test_page(serve: conftest.Serve) -> None:
    """The page is HTML under a policy that lets nothing run and nothing load."""
    response = fetch.get(serve().url)

    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "celery-sentinel" in response.text


def test_reload(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """POST reloads and tells the result; a bad configuration is 500 with its reason."""
    url = f"{serve(lifecycle=True).url}/-/reload"
    good = fetch.post(url)
    backend.reload_reason = "sentinel.yml:3: events.enabel is unknown"
    bad = fetch.post(url)

    assert (good.status_code, good.text) == (200, "The new configuration is in force.\n")
    assert bad.status_code == 500
    assert "sentinel.yml:3: events.enabel is unknown" in bad.text
    assert backend.reloads == 2


def test_reload_is_never_a_get(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """A link, a crawler or a preview cannot reload."""
    response = fetch.get(f"{serve(lifecycle=True).url}/-/reload")

    assert (response.status_code, response.headers["Allow"]) == (405, "POST")
    assert backend.reloads == 0


def test_reload_is_off(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """Without the permission to reload there is no such path."""
    assert fetch.post(f"{serve().url}/-/reload").status_code == 404
    assert backend.reloads == 0


def test_hanging_part(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """A rendering that hangs is 503 after a while, and the other routes answer."""
    url = serve(bounds=web.Limits(answer_seconds=ENOUGH)).url
    backend.metrics.may_finish.clear()

    response = fetch.get(f"{url}/metrics")

    assert response.status_code == 503
    assert "did not answer in time" in response.text
    assert fetch.get(f"{url}/-/healthy").status_code == 200


def test_failure_is_told_to_the_log_only(
    serve: conftest.Serve, backend: conftest.Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """What goes wrong inside is 500 without details, a line in the log, and no end."""
    backend.metrics.failure = RuntimeError("a detail")
    url = f"{serve().url}/metrics"

    broken = fetch.get(url)
    backend.metrics.failure = None

    assert broken.status_code == 500
    assert "a detail" not in broken.text
    assert "web_request_failed" in capsys.readouterr().out
    assert fetch.get(url).status_code == 200


def test_scrapers_and_people(serve: conftest.Serve, backend: conftest.Backend) -> None:
    """Who asks for a format by name is shown what scrapers are shown, all others what is."""
    url = f"{serve().url}/metrics"
    for accept in ("*/*", "text/html", "text/plain; version=0.0.4", "application/openmetrics-text"):
        fetch.get(url, headers={"Accept": accept})

    assert backend.metrics.unheld == [True, True, False, False]

"""Passwords: who comes in, what strangers learn, and what a flood of wrong ones costs others."""

from __future__ import annotations

import asyncio
import base64
import time
from concurrent import futures
from typing import TYPE_CHECKING

import bcrypt
import httpx
import pytest

from celery_sentinel import web
from celery_sentinel.web import passwords
from tests.servers import deadline, fetch

if TYPE_CHECKING:
    import pathlib

    from tests.integration.web import conftest

SECRET = "correct horse ß"  # noqa: S105 - of this test
QUICK_HASH = bcrypt.hashpw(SECRET.encode(), bcrypt.gensalt(4)).decode()
SLOW_HASH = bcrypt.hashpw(SECRET.encode(), bcrypt.gensalt(12)).decode()
KNOWN = ("prometheus", SECRET)


@pytest.fixture
def guarded(serve: conftest.Serve, web_file: conftest.WebFile) -> web.WebServer:
    """Start a server that knows one user, whose hash is cheap."""
    return serve(config_file=web_file(tls=None, basic_auth_users={KNOWN[0]: QUICK_HASH}))


@pytest.mark.parametrize("path", ["/", "/metrics", "/api/v1/status", "/nothing"])
def test_every_page_asks(guarded: web.WebServer, path: str) -> None:
    """Without credentials a page is 401 with a challenge, whether it exists or not."""
    response = fetch.get(guarded.url + path)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"].startswith('Basic realm="')
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "celery" not in response.text


def test_the_right_password(guarded: web.WebServer) -> None:
    """The known user comes in, at first and again."""
    answers = [fetch.get(f"{guarded.url}/metrics", auth=KNOWN) for _ in range(3)]

    assert {answer.text for answer in answers} == {"celery_broker_up 1\n"}


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic !!!",
        "Bearer abc",
        "Basic " + base64.b64encode(b"prometheus").decode(),
        "Basic " + base64.b64encode(b"prometheus:").decode(),
        "Basic " + base64.b64encode(b"prometheus:wrong").decode(),
        "Basic " + base64.b64encode(b"nobody:" + SECRET.encode()).decode(),
        "Basic " + base64.b64encode(b":" + SECRET.encode()).decode(),
        "Basic " + base64.b64encode(b"\x00\xff:\x00").decode(),
        "Basic " + base64.b64encode(b"prometheus:" + b"x" * 9000).decode(),
    ],
)
def test_wrong_credentials(guarded: web.WebServer, header: str) -> None:
    """Nothing but the name with its password comes in, however it is written."""
    response = fetch.get(f"{guarded.url}/metrics", headers={"Authorization": header})

    assert response.status_code == 401


def test_two_headers(guarded: web.WebServer, connect: conftest.Connect) -> None:
    """Two Authorization headers are none: proxy and server could each believe another."""
    right = base64.b64encode(f"{KNOWN[0]}:{SECRET}".encode())
    line = b"Authorization: Basic " + right + b"\r\n"
    client = connect(guarded.url)
    client.send(b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + line + line + b"\r\n")

    assert client.receive_response().startswith(b"HTTP/1.1 401 ")


def test_bcrypt_reads_72_bytes(serve: conftest.Serve, web_file: conftest.WebFile) -> None:
    """A longer password works as it does with the toolkit, which cuts it as well."""
    hashed = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    server = serve(config_file=web_file(tls=None, basic_auth_users={"long": hashed}))

    assert fetch.get(server.url, auth=("long", "x" * 90)).status_code == 200
    assert fetch.get(server.url, auth=("long", "x" * 71)).status_code == 401


@pytest.mark.parametrize("prefix", ["$2y$", "$2a$", "$2b$"])
def test_kinds_of_hashes(serve: conftest.Serve, web_file: conftest.WebFile, prefix: str) -> None:
    """The prefixes that htpasswd, older and newer libraries write all work."""
    users = {KNOWN[0]: prefix + QUICK_HASH[4:]}
    server = serve(config_file=web_file(tls=None, basic_auth_users=users))

    assert fetch.get(server.url, auth=KNOWN).status_code == 200


def test_strangers_get_the_verdict_of_a_probe(
    guarded: web.WebServer, backend: conftest.Backend
) -> None:
    """Probes need no password for the verdict; the reasons are for those who have one."""
    backend.ready = web.Health(ok=False, reasons=("broker redis://shop is down",))
    url = f"{guarded.url}/-/ready"

    stranger, known = fetch.get(url), fetch.get(url, auth=KNOWN)
    liar = fetch.get(url, auth=("prometheus", "wrong"))

    assert (stranger.status_code, stranger.text) == (503, "not ready\n")
    assert known.text == "not ready\nbroker redis://shop is down\n"
    assert liar.status_code == 401
    assert fetch.get(f"{guarded.url}/-/healthy").text == "healthy\n"


def test_reload_asks_as_well(
    serve: conftest.Serve, web_file: conftest.WebFile, backend: conftest.Backend
) -> None:
    """No stranger reloads."""
    file = web_file(tls=None, basic_auth_users={KNOWN[0]: QUICK_HASH})
    url = f"{serve(config_file=file, lifecycle=True).url}/-/reload"

    assert fetch.post(url).status_code == 401
    assert backend.reloads == 0
    assert fetch.post(url, auth=KNOWN).status_code == 200


def test_an_unknown_user_costs_the_same(serve: conftest.Serve, web_file: conftest.WebFile) -> None:
    """A name nobody has takes the place of a comparison, as a wrong password does."""
    file = web_file(tls=None, basic_auth_users={KNOWN[0]: SLOW_HASH})
    server = serve(config_file=file, bounds=web.Limits(logins=1))

    def code(name: str) -> int:
        return fetch.get(server.url, auth=(name, "wrong")).status_code

    with futures.ThreadPoolExecutor(2) as pool:
        for name in ("nobody", KNOWN[0]):
            # On a busy machine two that are sent at once may be far apart.
            deadline.wait_until(
                lambda both=[name] * 2: sorted(pool.map(code, both)) == [401, 503],
                60,
                "one waits for the other",
            )


def test_users_of_cheap_and_dear_hashes_cost_the_same() -> None:
    """Who has a cheap hash beside others' dear ones is not known by how soon the refusal comes."""
    costs = {b"cheap": 5, b"middling": 8, b"dear": 11}
    users = {name: bcrypt.hashpw(SECRET.encode(), bcrypt.gensalt(n)) for name, n in costs.items()}

    def spent(name: bytes) -> float:
        """Return the processor time of a wrong password."""
        doorkeeper = passwords.PasswordCheck(web.Limits())
        header = b"Basic " + base64.b64encode(name + b":wrong")
        begun = time.process_time()
        verdict = asyncio.run(doorkeeper.judge(users, [header], "127.0.0.1"))
        doorkeeper.close()
        assert verdict is passwords.Verdict.WRONG
        return time.process_time() - begun

    dear = spent(b"dear")
    for name in (b"cheap", b"middling", b"nobody"):
        assert dear / 5 < spent(name) < dear * 5, name


def test_a_flood_is_not_in_the_way_of_a_known_user(
    serve: conftest.Serve, web_file: conftest.WebFile, connect: conftest.Connect
) -> None:
    """While wrong passwords fill their places, scrapes and newcomers from elsewhere come in."""
    server = serve(config_file=web_file(tls=None, basic_auth_users={KNOWN[0]: SLOW_HASH}))
    assert fetch.get(server.url, auth=KNOWN).status_code == 200
    wrong = base64.b64encode(b"prometheus:wrong")
    flood = [connect(server.url) for _ in range(100)]
    for client in flood:
        client.send(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " + wrong + b"\r\n\r\n")

    scrapes = [fetch.get(f"{server.url}/metrics", auth=KNOWN).status_code for _ in range(5)]
    busy = [client.receive_response()[:12] for client in flood]
    right = base64.b64encode(f"{KNOWN[0]}:{SECRET}".encode())
    newcomer = connect(server.url, source="127.0.0.2")
    newcomer.send(b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " + right + b"\r\n\r\n")

    assert scrapes == [200] * 5
    assert newcomer.receive_response().startswith(b"HTTP/1.1 200 OK")
    assert sorted(set(busy)) == [b"HTTP/1.1 401", b"HTTP/1.1 503"]
    assert busy.count(b"HTTP/1.1 401") < 50


def test_a_changed_password_counts_at_once(
    serve: conftest.Serve, web_file: conftest.WebFile
) -> None:
    """What was proven against the old hash is worth nothing against the new one."""
    server = serve(config_file=web_file(tls=None, basic_auth_users={KNOWN[0]: QUICK_HASH}))
    assert fetch.get(server.url, auth=KNOWN).status_code == 200
    changed = bcrypt.hashpw(b"new", bcrypt.gensalt(4)).decode()
    web_file(tls=None, basic_auth_users={KNOWN[0]: changed})

    def refused() -> bool:
        server.look()
        return fetch.get(server.url, auth=KNOWN).status_code == 401

    deadline.wait_until(refused, 60, "the old password is refused")
    assert fetch.get(server.url, auth=(KNOWN[0], "new")).status_code == 200


def test_headers_of_the_file(serve: conftest.Serve, web_file: conftest.WebFile) -> None:
    """They are on every answer of a page, and the landing page keeps its own strict policy."""
    headers = {
        "Strict-Transport-Security": "max-age=31536000",
        "X-Frame-Options": "deny",
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src *",
        "X-XSS-Protection": "",
    }
    server = serve(config_file=web_file(tls=None, http_server_config={"headers": headers}))
    with httpx.Client(base_url=server.url, timeout=30) as client:
        answers = {path: client.get(path).headers for path in ("/", "/metrics", "/nothing")}
        large = client.post("/", content=b"x" * 5000).headers

    for answer in (*answers.values(), large):
        assert answer["Strict-Transport-Security"] == "max-age=31536000"
        assert answer["X-Frame-Options"] == "deny"
        assert answer.get_list("X-Content-Type-Options") == ["nosniff"]
        assert "X-XSS-Protection" not in answer
    assert answers["/metrics"]["Content-Security-Policy"] == "default-src *"
    assert answers["/"].get_list("Content-Security-Policy")[0].startswith("default-src 'none'")
    assert len(answers["/"].get_list("Content-Security-Policy")) == 1


def test_rate_limit(serve: conftest.Serve, web_file: conftest.WebFile) -> None:
    """What is over the limit is 429; probes are never, or a flood would restart us."""
    limit = {"interval": "1h", "burst": 2}
    server = serve(config_file=web_file(tls=None, rate_limit=limit))

    codes = [fetch.get(f"{server.url}/metrics").status_code for _ in range(3)]

    assert codes == [200, 200, 429]
    assert fetch.get(f"{server.url}/-/healthy").status_code == 200


def test_rate_limit_fills_up(serve: conftest.Serve, web_file: conftest.WebFile) -> None:
    """A token comes back with each interval."""
    limit = {"interval": "50ms", "burst": 1}
    url = f"{serve(config_file=web_file(tls=None, rate_limit=limit)).url}/metrics"
    with httpx.Client(timeout=30) as client:
        assert client.get(url).status_code == 200
        deadline.wait_until(lambda: client.get(url).status_code == 200, 60, "a token")


def test_no_secret_is_told(
    serve: conftest.Serve,
    web_file: conftest.WebFile,
    capfd: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
) -> None:
    """Neither passwords nor hashes are in answers or in what is logged."""
    server = serve(config_file=web_file(tls=None, basic_auth_users={KNOWN[0]: QUICK_HASH}))
    texts = [
        fetch.get(server.url + path, auth=auth).text
        for path in ("/", "/metrics", "/api/v1/status", "/-/ready")
        for auth in (KNOWN, (KNOWN[0], "guessed-wrong"))
    ]
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{prometheus: '{QUICK_HASH}x'}}\n")
    for _ in range(3):
        server.look()
    logged = "".join(capfd.readouterr())

    assert "web_config_failed" in logged
    for secret in (SECRET, QUICK_HASH, "guessed-wrong"):
        assert secret not in "".join(texts) + logged

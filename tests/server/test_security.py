from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from served import SMALL
from sketchseek.search.library import Library
from sketchseek.server.app import create_app
from sketchseek.server.security import LOOPBACK, allowed_hosts, host_name
from sketchseek.server.thumbnails import ThumbnailCache

BODY = b'{"strokes": [[[1, 2], [1, 2]]]}'


@pytest.mark.parametrize("announce", [True, False], ids=["announced", "streamed"])
@pytest.mark.parametrize("where", ["sketch", "embedding", "image"])
def test_a_body_over_the_cap_is_refused(client: TestClient, announce: bool, where: str) -> None:
    kind = "multipart/form-data; boundary=x" if where == "image" else "application/json"
    head = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' if where == "image" else b"{"
    sent = 0

    def stream() -> Iterator[bytes]:
        nonlocal sent
        yield head
        for _ in range(1000):
            sent += 10_000
            yield b" " * 10_000

    body = head + b" " * SMALL.body if announce else stream()
    answer = client.post(f"/api/v1/search/{where}", content=body, headers={"Content-Type": kind})
    assert (answer.status_code, answer.json()["error"]["type"]) == (413, "BodyTooLarge")


def test_a_streamed_body_under_the_cap_is_read(client: TestClient) -> None:
    answer = client.post(
        "/api/v1/search/sketch", content=iter([BODY[:9], BODY[9:]]), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("host", "ok"),
    [
        ("localhost", True),
        ("LOCALHOST:8765", True),
        ("127.0.0.1:1", True),
        ("[::1]:8765", True),
        ("evil.example", False),
        ("127.0.0.1.evil.example:8765", False),
        ("localhost.evil.example", False),
        ("192.168.1.7", False),
        ("[::2]:8765", False),
        ("[::1", False),
        ("", False),
        ("user@localhost", False),
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/v1/status", "/api/v1/photos/1/file"])
def test_only_own_names_are_answered(client: TestClient, host: str, ok: bool, path: str) -> None:
    answer = client.get(path, headers={"Host": host})
    assert answer.status_code == (200 if ok else 421)
    if not ok:
        assert answer.json()["error"]["type"] == "HostNotAllowed"


def test_requests_that_other_sites_start_are_refused(client: TestClient) -> None:
    for site, status in (("cross-site", 403), ("same-origin", 200), ("none", 200)):
        assert client.get("/api/v1/status", headers={"Sec-Fetch-Site": site}).status_code == status
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200  # a link to the page


@pytest.mark.parametrize("path", ["/api/v1/status", "/api/v1/session", "/", "/main.js"])
def test_requests_of_other_origins_are_refused(client: TestClient, path: str) -> None:
    """On the old code, a browser without Sec-Fetch-Site let ``Origin: http://evil.example`` in."""
    for origin, status in (
        ("http://evil.example", 403),
        ("null", 403),
        ("", 403),
        ("https://127.0.0.1:8765", 403),
        ("http://127.0.0.1", 403),
        ("http://127.0.0.1:9999", 403),
        ("http://localhost:8765", 403),
        ("http://127.0.0.1:8765", 200),
        ("HTTP://127.0.0.1:8765", 200),
    ):
        assert client.get(path, headers={"Origin": origin}).status_code == status, origin
    answer = client.post("/api/v1/search/sketch", content=BODY, headers={"Origin": "http://evil.example"})
    assert answer.json()["error"]["type"] == "CrossSite"


def test_a_server_on_all_addresses_answers_to_addresses_but_not_to_names(library: Library, tmp_path: Path) -> None:
    hosts, any_address = allowed_hosts("0.0.0.0", ["photos.example"])
    app = create_app(library, thumbnails=ThumbnailCache(tmp_path), hosts=hosts, any_address=any_address)
    with TestClient(app) as client:
        for host, status in (
            ("192.168.1.7:8765", 200),
            ("[fe80::1]:8765", 200),
            ("photos.example", 200),
            (socket.gethostname(), 200),
            ("evil.example", 421),
            ("1.2.3.4.evil.example", 421),
        ):
            assert client.get("/api/v1/status", headers={"Host": host}).status_code == status, host


def test_allowed_hosts_hold_the_address_asked_for() -> None:
    assert allowed_hosts("127.0.0.1") == ([*LOOPBACK, "127.0.0.1"], False)
    assert allowed_hosts("fe80::1") == ([*LOOPBACK, "[fe80::1]"], False)
    assert allowed_hosts("photos.example", ["other"]) == ([*LOOPBACK, "photos.example", "other"], False)
    assert host_name("[::1]:80") == "[::1]"


@pytest.mark.parametrize(
    "path", ["/", "/main.js", "/style.css", "/api/v1/status", "/api/v1/photos/1/thumbnail", "/nowhere"]
)
def test_every_answer_carries_the_security_headers(client: TestClient, path: str) -> None:
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'self'" in policy
    assert policy.replace("'wasm-unsafe-eval'", "").count("unsafe") == 0
    assert "worker-src 'self';" in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_no_other_origin_is_invited(client: TestClient) -> None:
    preflight = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = client.options("/api/v1/search/sketch", headers=preflight)
    assert "access-control-allow-origin" not in answer.headers
    assert answer.status_code >= 400

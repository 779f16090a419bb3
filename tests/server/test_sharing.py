"""A shared server, used by real requests: logins, TLS, a reverse proxy, and pages of other origins."""

from __future__ import annotations

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme

from sketchseek.errors import ConfigError
from sketchseek.search.library import Library
from sketchseek.server.access import TOKEN_HEADER
from sketchseek.server.app import create_app
from sketchseek.server.audit_log import AuditLog
from sketchseek.server.file_manager import can_show
from sketchseek.server.http_server import HttpServer
from sketchseek.server.running import bind, tls_context, url_of
from sketchseek.server.sharing import Sharing
from sketchseek.server.thumbnails import ThumbnailCache
from sketchseek.server.users import User, Users, hash_password, hash_token, write_users

pytestmark = pytest.mark.slow

SEARCH = {"strokes": [[[1, 5], [1, 9]]]}
PASSWORD = "correct horse battery"
PATIENCE = 60.0


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a person for each scope, and tokens."""
    path = tmp_path_factory.mktemp("users") / "users"
    hashed = hash_password(PASSWORD)
    people: list[User] = [User(name, "password", name, hashed) for name in ("read", "search", "manage")]
    tokens = [User(f"{name}-bot", "token", name, hash_token(f"sks_{name}")) for name in ("read", "search", "manage")]
    write_users(path, {user.name: user for user in people + tokens})
    return path


@contextmanager
def running(
    library: Library,
    folder: Path,
    sharing: Sharing,
    *,
    tls: ssl.SSLContext | None = None,
    root_path: str = "",
    hosts: tuple[str, ...] = ("localhost", "127.0.0.1"),
) -> Iterator[str]:
    with bind("127.0.0.1", 0) as listener:
        app = create_app(library, thumbnails=ThumbnailCache(folder), sharing=sharing, hosts=hosts)
        server = HttpServer(app, tls=tls, root_path=root_path)
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.01)
        try:
            yield url_of(listener, tls=tls is not None)
        finally:
            server.should_exit = True
            thread.join(PATIENCE)


@pytest.fixture
def shared(library: Library, users: Path, tmp_path: Path) -> Iterator[str]:
    audit = AuditLog(tmp_path / "audit")
    with running(library, tmp_path / "thumbnails", Sharing(users=Users(users), audit=audit)) as url:
        yield url
    audit.close()


def log_in(client: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Response:
    return client.post("login", data={"name": name, "password": password})


def client_of(url: str, **options: Any) -> httpx.Client:
    return httpx.Client(base_url=url, timeout=PATIENCE, **options)


def test_nothing_private_is_shown_before_the_login(shared: str) -> None:
    with client_of(shared) as client:
        home = client.get("")
        assert (home.status_code, home.headers["Location"]) == (303, "/login")
        for path in ("main.js", "index.html", "vendor/ort.wasm.min.mjs", "nowhere"):
            assert client.get(path).status_code == 401
        for path in ("status", "libraries", "photos/1/file", "metrics", "openapi.json", "no/such/route"):
            answer = client.get(f"api/v1/{path}")
            assert (answer.status_code, answer.json()["error"]["type"]) == (401, "LoginRequired")
        assert client.post("api/v1/search/sketch", json=SEARCH).status_code == 401
        assert client.get("api/v1/health/live").json() == {"status": "live"}
        session = client.get("api/v1/session").json()
        assert session == {"user": None, "scopes": [], "login": True, "token": ""}
        form = client.get("login")
        assert 'type="password"' in form.text
        assert "form-action 'self'" in form.headers["Content-Security-Policy"]
        assert client.get("login.css").status_code == 200


def test_a_browser_logs_in_and_out(shared: str) -> None:
    with client_of(shared) as client:
        answer = log_in(client, "manage")
        assert (answer.status_code, answer.headers["Location"]) == (303, "/")
        cookie = answer.headers["Set-Cookie"].lower()
        assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
        assert "secure" not in cookie  # not over plain HTTP: the browser would not send it
        assert "<canvas" in client.get("").text
        assert client.post("api/v1/search/sketch", json=SEARCH).status_code == 200
        session = client.get("api/v1/session").json()
        assert (session["user"], session["scopes"]) == ("manage", ["manage", "read", "search"])
        # The cookie alone changes nothing.
        assert client.post("api/v1/sync", json={}).json()["error"]["type"] == "TokenWrong"
        answer = client.post("api/v1/sync", json={}, headers={TOKEN_HEADER: session["token"]})
        assert answer.json()["error"]["type"] == "ReadOnly"
        assert "logged in as manage" in client.get("login").text
        kept = dict(client.cookies)
        assert client.post("logout").status_code == 303
        assert client.get("api/v1/status").status_code == 401
        assert httpx.get(f"{shared}api/v1/status", cookies=kept).status_code == 401  # the session itself has ended


@pytest.mark.parametrize("how", ["password", "token"])
def test_scopes(shared: str, how: str) -> None:
    expected = {"read": (200, 403, 403), "search": (200, 200, 403), "manage": (200, 200, 403)}
    for name, codes in expected.items():
        with client_of(shared) as client:
            if how == "password":
                log_in(client, name)
            else:
                client.headers["Authorization"] = f"Bearer sks_{name}"
            # The page offers only what the user may do.
            assert client.get("api/v1/status").json()["may"] == {
                "open": name == "manage" and can_show(),
                "write": False,
            }
            found = (
                client.get("api/v1/photos/1/file").status_code,
                client.post("api/v1/search/sketch", json=SEARCH).status_code,
                client.post("api/v1/sync", json={}).status_code,
            )
            assert found == codes, name
            kind = client.post("api/v1/sync", json={}).json()["error"]["type"]
            # A token needs no other one: no browser sends it by itself. The server has no roots.
            assert kind == ("ScopeMissing" if name != "manage" else "ReadOnly" if how == "token" else "TokenWrong")


def test_wrong_credentials(shared: str, users: Path) -> None:
    with client_of(shared) as client:
        for name, password in (("manage", "wrong"), ("nobody", PASSWORD), ("", ""), ("read-bot", "sks_read")):
            answer = log_in(client, name, password)
            assert answer.status_code in (401, 429)
            assert "Set-Cookie" not in answer.headers
            assert PASSWORD not in answer.text
        for header in ("Bearer wrong", "Bearer", "Bearer sks_Read", "bearer sks_read x"):
            assert client.get("api/v1/status", headers={"Authorization": header}).status_code == 401
        hashed = users.read_text().split("read-bot:token:read:")[1].split("\n")[0]
        assert client.get("api/v1/status", headers={"Authorization": f"Bearer {hashed}"}).status_code == 401


def test_attempts_are_limited(shared: str) -> None:
    with client_of(shared) as client:
        codes = [log_in(client, "manage", "wrong").status_code for _ in range(12)]
        assert codes[:5] == [401] * 5
        assert 429 in codes
        limited = log_in(client, "manage")  # the right password, too
        if limited.status_code == 429:
            assert int(limited.headers["Retry-After"]) >= 0


def test_logins_of_other_sites_are_refused(shared: str) -> None:
    with client_of(shared) as client:
        for origin in ("http://evil.example", "null"):
            answer = client.post("login", data={"name": "manage", "password": PASSWORD}, headers={"Origin": origin})
            assert (answer.status_code, answer.json()["error"]["type"]) == (403, "CrossSite")


def test_a_removed_user_is_out_at_once(library: Library, users: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_bytes(users.read_bytes())
    own.chmod(0o600)
    with running(library, tmp_path / "t", Sharing(users=Users(own))) as url, client_of(url) as client:
        log_in(client, "search")
        assert client.get("api/v1/status").status_code == 200
        lines = [line for line in own.read_text().splitlines() if not line.startswith("search:")]
        own.write_text("\n".join(lines) + "\n")
        assert client.get("api/v1/status").status_code == 401
        own.write_text("damaged")  # the last state counts
        assert client.get("api/v1/status", headers={"Authorization": "Bearer sks_read"}).status_code == 200


def test_changes_and_logins_are_recorded(shared: str, tmp_path: Path) -> None:
    with client_of(shared) as client:
        log_in(client, "manage", "wrong")
        log_in(client, "manage")
        token = client.get("api/v1/session").json()["token"]
        body = {"folder": "/secret/photos"}
        client.post("api/v1/folders", json=body, headers={TOKEN_HEADER: token, "X-Request-ID": "abc-1"})
        client.post("api/v1/search/sketch", json=SEARCH)
    lines = [json.loads(line) for line in (tmp_path / "audit").read_text().splitlines()]
    assert [(one["event"], one["user"], one["outcome"]) for one in lines] == [
        ("login", "manage", "failed"),
        ("login", "manage", "succeeded"),
        ("addFolder", "manage", 403),
    ]
    assert (lines[2]["folder"], lines[2]["request_id"], lines[2]["client"]) == ("/secret/photos", "abc-1", "127.0.0.1")
    assert (tmp_path / "audit").stat().st_mode & 0o077 == 0
    assert PASSWORD not in (tmp_path / "audit").read_text()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """PEM files: certificate, key, and the authority that signed it."""
    folder = tmp_path_factory.mktemp("tls")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    issued = authority.issue_cert("localhost", "127.0.0.1")
    issued.private_key_pem.write_to_path(str(folder / "key.pem"))
    for number, part in enumerate(issued.cert_chain_pems):
        part.write_to_path(str(folder / "cert.pem"), append=number > 0)
    return folder / "cert.pem", folder / "key.pem", folder / "ca.pem"


def test_tls(library: Library, users: Path, tmp_path: Path, certificate: tuple[Path, Path, Path]) -> None:
    cert, key, authority = certificate
    trusting = ssl.create_default_context(cafile=authority)
    with running(library, tmp_path / "t", Sharing(users=Users(users)), tls=tls_context(cert, key)) as url:
        assert url.startswith("https://127.0.0.1:")
        with client_of(url, verify=trusting) as client:
            answer = log_in(client, "search")
            assert "secure" in answer.headers["Set-Cookie"].lower()
            found = client.post("api/v1/search/sketch", json=SEARCH, headers={"Origin": url.rstrip("/")})
            assert found.status_code == 200
            plain = {"Origin": url.rstrip("/").replace("https", "http")}
            assert client.post("api/v1/search/sketch", json=SEARCH, headers=plain).status_code == 403
        with pytest.raises(httpx.ConnectError, match=r"(?i)certificate"):
            httpx.get(url)
        with pytest.raises(httpx.HTTPError):
            httpx.get(url.replace("https", "http"), timeout=PATIENCE)
    assert tls_context(cert, key).minimum_version == ssl.TLSVersion.TLSv1_2


def test_unusable_certificates_are_told(tmp_path: Path, certificate: tuple[Path, Path, Path]) -> None:
    cert, key, _ = certificate
    (tmp_path / "junk").write_text("junk")
    for pair in ((tmp_path / "none", key), (cert, tmp_path / "junk"), (key, cert)):
        with pytest.raises(ConfigError, match="cannot be used"):
            tls_context(*pair)


@contextmanager
def proxy(target: str, prefix: str, headers: dict[str, str]) -> Iterator[str]:
    """A reverse proxy: it strips a prefix from the path and adds headers, as nginx and Caddy do."""
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _forward(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kept = {name: value for name, value in self.headers.items() if name.lower() not in ("connection",)}
            answer = httpx.request(
                self.command,
                target.rstrip("/") + self.path.removeprefix(prefix),
                headers={**kept, **headers},
                content=body,
                timeout=PATIENCE,
            )
            self.send_response(answer.status_code)
            for name, value in answer.headers.items():
                if name.lower() not in ("transfer-encoding", "content-length", "content-encoding", "connection"):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.content)))
            self.end_headers()
            self.wfile.write(answer.content)

        do_GET = do_POST = _forward  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{prefix}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


def test_behind_a_reverse_proxy(library: Library, users: Path, tmp_path: Path) -> None:
    """It serves the page below a path, ends TLS, and tells whom it forwards for."""
    audit = AuditLog(tmp_path / "audit")
    sharing = Sharing(users=Users(users), proxies=("127.0.0.1",), audit=audit)
    told = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https", "Host": "photos.example"}
    names = ("photos.example",)
    with (
        running(library, tmp_path / "t", sharing, root_path="/photos", hosts=names) as inner,
        proxy(inner, "/photos", told) as url,
        client_of(url) as client,
    ):
        assert client.get("").headers["Location"] == "/photos/login"
        answer = log_in(client, "search")
        assert answer.headers["Location"] == "/photos/"
        cookie = answer.headers["Set-Cookie"]
        assert "Path=/photos" in cookie
        assert "secure" in cookie.lower()
        session = {"Cookie": cookie.split(";")[0]}
        assert "<canvas" in client.get("", headers=session).text
        assert client.get("main.js", headers=session).status_code == 200
        own = {**session, "Origin": "https://photos.example"}
        assert client.post("api/v1/search/sketch", json=SEARCH, headers=own).status_code == 200
        other = {**session, "Origin": "https://evil.example"}
        assert client.post("api/v1/search/sketch", json=SEARCH, headers=other).status_code == 403
        assert client.get("api/v1/status", headers=session).json()["may"]["open"] is False
        assert client.get("api/v1/nowhere", headers=session).json()["error"]["type"] == "Http404"
        form = client.get("login", headers=session).text
        assert 'href="/photos/login.css"' in form
    audit.close()
    assert json.loads((tmp_path / "audit").read_text().splitlines()[0])["client"] == "198.51.100.7"


@pytest.mark.parametrize("proxies", [(), ("192.0.2.1",)])
def test_others_cannot_pretend_to_be_a_proxy(
    library: Library, users: Path, tmp_path: Path, proxies: tuple[str, ...]
) -> None:
    audit = AuditLog(tmp_path / "audit")
    with running(library, tmp_path / "t", Sharing(Users(users), proxies=proxies, audit=audit)) as url:
        headers = {"X-Forwarded-For": "198.51.100.7", "X-Forwarded-Proto": "https"}
        answer = httpx.post(
            f"{url}login", data={"name": "read", "password": PASSWORD}, headers=headers, timeout=PATIENCE
        )
        assert "secure" not in answer.headers["Set-Cookie"].lower()
    audit.close()
    assert json.loads((tmp_path / "audit").read_text())["client"] == "127.0.0.1"


def test_pages_of_a_named_origin_may_use_the_api(library: Library, users: Path, tmp_path: Path) -> None:
    origin = "https://photos.example"
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization,content-type"}
    with (
        running(library, tmp_path / "t", Sharing(Users(users), origins=(origin,))) as url,
        client_of(url) as client,
    ):
        preflight = client.options("api/v1/search/sketch", headers={"Origin": origin, **asked})
        assert preflight.status_code == 200
        assert preflight.headers["Access-Control-Allow-Origin"] == origin
        assert "access-control-allow-credentials" not in preflight.headers  # its cookies are of no use
        headers = {"Origin": origin, "Authorization": "Bearer sks_search", "Sec-Fetch-Site": "cross-site"}
        answer = client.post("api/v1/search/sketch", json=SEARCH, headers=headers)
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (200, origin)
        for other in ("https://evil.example", "https://photos.example.evil.example", "http://photos.example"):
            assert client.options("api/v1/search/sketch", headers={"Origin": other, **asked}).status_code == 403
            answer = client.post("api/v1/search/sketch", json=SEARCH, headers={**headers, "Origin": other})
            assert answer.status_code == 403
            assert "access-control-allow-origin" not in answer.headers

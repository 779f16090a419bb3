"""The documentation page of the REST API: complete, without scripts, and nothing from another host."""

from __future__ import annotations

import json
import re
import shlex
from html import unescape
from html.parser import HTMLParser

import pytest
from starlette.testclient import TestClient


class Page(HTMLParser):
    """What a page loads and links to, its anchors, and its blocks of code."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.anchors: set[str] = set()
        self.tags: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]
        self.anchors |= {value or "" for name, value in attrs if name == "id"}
        assert not any(name.startswith("on") or name == "style" for name, _ in attrs)


@pytest.fixture
def text(client: TestClient) -> str:
    answer = client.get("/api/v1/docs")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    return answer.text


def test_every_route_is_on_the_page(client: TestClient, text: str) -> None:
    schema = client.get("/api/v1/openapi.json").json()
    ids = {one["operationId"] for methods in schema["paths"].values() for one in methods.values()}
    assert ids == Page(text).anchors


def test_it_loads_only_files_of_this_server_and_no_script(client: TestClient, text: str) -> None:
    page = Page(text)
    assert not page.tags & {"script", "style", "iframe"}
    assert "/api-docs.css" in page.addresses
    for address in page.addresses:
        assert "//" not in address
        if not address.startswith("#"):
            assert client.get(address if address.startswith("/") else f"/api/v1/{address}").status_code == 200


def test_the_examples_work(client: TestClient, text: str) -> None:
    commands = [shlex.split(unescape(one)) for one in re.findall(r"<code>(curl .*?)</code>", text)]
    assert len(commands) > 15
    tried = 0
    for command in commands:
        path = "api" + command[-1].partition("/api")[2]
        if "-d" in command and "/search/sketch" in path:
            body = json.loads(command[command.index("-d") + 1])
            assert client.post(f"/{path}", json=body).status_code == 200
            tried += 1
        elif len(command) == 2 and path in ("api/v1/status", "api/v1/libraries", "api/v1/failures"):
            assert client.get(f"/{path}").status_code == 200
            tried += 1
    assert tried == 4

"""A stand-in for the Hugging Face Hub on loopback: repositories of files in memory, with the routes that
huggingface_hub asks for when it creates a repository, commits to it, lists it and downloads from it."""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit


@dataclass
class HubServer:
    """What the server holds, and what it was asked.

    Attributes:
        repositories: Files of each repository.
        private: Whether each repository was created as a private one.
        objects: Large files that were uploaded, by their SHA-256.
        asked: Method and path of each request.
        tokens: Authorization headers that came.
        token: Token that writing needs.
        address: Its address, for HF_ENDPOINT.
    """

    repositories: dict[str, dict[str, bytes]] = field(default_factory=dict)
    private: dict[str, bool] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str | None] = field(default_factory=set)
    token: str = "Bearer hf_test"
    address: str = ""

    def commit(self, repository: str) -> str:
        """The commit of a repository's present files."""
        digest = hashlib.sha1(usedforsecurity=False)
        for name, data in sorted(self.repositories[repository].items()):
            digest.update(name.encode() + data)
        return digest.hexdigest()


class _Handler(http.server.BaseHTTPRequestHandler):
    state: HubServer

    def do_GET(self) -> None:
        self._note()
        parts = urlsplit(self.path).path.strip("/").split("/")
        if parts[:2] == ["api", "models"]:
            self._info("/".join(parts[2:4]), parts[5] if len(parts) > 5 else "main")
        elif "resolve" in parts:
            self._resolve("/".join(parts[:2]), "/".join(parts[4:]))
        else:
            self._missing("EntryNotFound")

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self._note()
        body = self.rfile.read(int(self.headers["Content-Length"]))
        path = urlsplit(self.path).path
        if self.headers.get("Authorization") != self.state.token and path != "/api/validate-yaml":
            self._send(401, {"error": "Invalid credentials"})
        elif path == "/api/repos/create":
            data = json.loads(body)
            repository = f"{data.get('organization') or 'me'}/{data['name']}"
            if repository in self.state.repositories:
                self._send(409, {"error": "exists", "url": f"{self.state.address}/{repository}"})
                return
            self.state.repositories[repository] = {}
            self.state.private[repository] = bool(data.get("private")) or data.get("visibility") == "private"
            self._send(200, {"url": f"{self.state.address}/{repository}"})
        elif path == "/api/validate-yaml":
            self._send(200, {"errors": [], "warnings": []})
        elif "/preupload/" in path:
            files = [
                {"path": file["path"], "shouldIgnore": False, "uploadMode": _mode(file["path"]), "oid": None}
                for file in json.loads(body)["files"]
            ]
            self._send(200, {"files": files})
        elif path.endswith("/info/lfs/objects/batch"):
            actions = [
                {**entry, "actions": {"upload": {"href": f"{self.state.address}/upload/{entry['oid']}", "header": {}}}}
                for entry in json.loads(body)["objects"]
            ]
            self._send(200, {"transfer": "basic", "objects": actions})
        elif "/commit/" in path:
            self._commit("/".join(path.split("/")[3:5]), body)
        else:
            self._missing("EntryNotFound")

    def do_PUT(self) -> None:
        self._note()
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.state.objects[hashlib.sha256(data).hexdigest()] = data
        self._send(200, {})

    def _commit(self, repository: str, body: bytes) -> None:
        files = self.state.repositories[repository]
        for line in body.splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "lfsFile":
                files[value["path"]] = self.state.objects[value["oid"]]
        commit = self.state.commit(repository)
        url = f"{self.state.address}/{repository}/commit/{commit}"
        self._send(200, {"success": True, "commitOid": commit, "commitUrl": url, "hookOutput": ""})

    def _info(self, repository: str, revision: str) -> None:
        if repository not in self.state.repositories:
            self._missing("RepoNotFound")
        elif revision not in ("main", self.state.commit(repository)):
            self._missing("RevisionNotFound")
        else:
            files = self.state.repositories[repository]
            siblings = [{"rfilename": name, "size": len(data)} for name, data in files.items()]
            about = {"id": repository, "modelId": repository, "private": False, "tags": [], "downloads": 0, "likes": 0}
            self._send(200, {**about, "sha": self.state.commit(repository), "siblings": siblings})

    def _resolve(self, repository: str, name: str) -> None:
        data = self.state.repositories.get(repository, {}).get(name)
        if data is None:
            self._missing("EntryNotFound")
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", f'"{hashlib.sha256(data).hexdigest()}"')
        self.send_header("X-Repo-Commit", self.state.commit(repository))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(data)

    def _note(self) -> None:
        self.state.asked.append((self.command, urlsplit(self.path).path))
        if not self.path.startswith("/upload/"):  # addresses for uploads carry their own rights
            self.state.tokens.add(self.headers.get("Authorization"))

    def _missing(self, code: str) -> None:
        self.send_response(404)
        self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _send(self, status: int, data: dict[str, Any]) -> None:
        body = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


def _mode(path: str) -> str:
    return "lfs" if path.endswith(".onnx") else "regular"


@contextmanager
def hub_server() -> Iterator[HubServer]:
    """Start the stand-in; it ends with the block."""
    state = HubServer()
    handler = type("Handler", (_Handler,), {"state": state})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    state.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

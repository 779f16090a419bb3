"""``az://`` with a real server, and what ``az://`` and ``gs://`` say without credentials."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile

import pytest

from object_store import need_cluster
from served import as_bytes, picture
from sketchseek.errors import InputError
from sketchseek.models.package import ModelPackage

need_cluster()

from sketchseek.cluster.library import LanceLibrary
from sketchseek.cluster.storage import SCHEMES, bucket_store, normalized
from sketchseek.search.library import Library


def put(uri: str, name: str, data: bytes) -> None:
    import obstore

    obstore.put(bucket_store(uri), name, data)


@pytest.mark.slow
def test_a_library_in_azure(azure_container: str, tiny_model: ModelPackage) -> None:
    import obstore

    for number in range(5):
        put(azure_container, f"p/{number}.png", as_bytes(picture(number)))
    put(azure_container, "p/bad.png", b"no picture")
    shard = io.BytesIO()
    with tarfile.open(fileobj=shard, mode="w") as made:
        entry = tarfile.TarInfo("in-shard.png")
        entry.size = len(as_bytes(picture(9)))
        made.addfile(entry, io.BytesIO(as_bytes(picture(9))))
    put(azure_container, "shards/0.tar", shard.getvalue())
    address = f"{azure_container}/library"
    with Library.open(address, tiny_model.path, create=True) as library:
        report = library.add([f"{azure_container}/p", f"{azure_container}/shards/*.tar"])
        assert (report.indexed, report.failed) == (6, 1)
        put(azure_container, "p/1.png", as_bytes(picture(20)))
        obstore.delete(bucket_store(azure_container), "p/2.png")
        report = library.sync()
        assert (report.indexed, report.removed, report.unchanged) == (1, 1, 4)
        found = library.search_photo(as_bytes(picture(9)), 1)
        assert str(found[0].path) == f"{azure_container}/shards/0.tar/in-shard.png"
        assert library.photo_bytes(found[0].id) == as_bytes(picture(9))
        assert library.verify(sample=10).problems == []
    with LanceLibrary.open(address, readonly=True) as library:
        assert len(library) == 5


@pytest.mark.slow
@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("az://container/library", "AZURE_STORAGE_ACCOUNT_NAME is not set"),
        ("gs://bucket/library", "the environment has no credentials for it"),
        ("s3://bucket/library", "the environment has no credentials for it"),
    ],
)
def test_without_credentials(uri: str, reason: str) -> None:
    """The answer names what is missing. The address of the metadata service of clouds is one where nothing listens."""
    chains = ("AWS_", "AZURE_", "GOOGLE_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(chains)}
    environment |= {"AWS_METADATA_ENDPOINT": "http://127.0.0.1:9", "AWS_REGION": "us-east-1"}
    command = [sys.executable, "-m", "sketchseek", "status", "--library", uri]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode != 0
    assert uri in done.stderr
    assert reason in done.stderr, done.stderr


def test_addresses() -> None:
    assert SCHEMES == ("s3", "gs", "az", "file")
    assert normalized("az://container/a/b/") == "az://container/a/b"
    with pytest.raises(InputError, match="names no bucket"):
        normalized("az:///a")

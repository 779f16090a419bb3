"""Clients that are generated from the OpenAPI schema call a running server."""

from __future__ import annotations

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sketchseek.search.library import Library

pytestmark = pytest.mark.slow

CLIENTS = Path(__file__).parent / "clients"
WEB_BUILD = Path(__file__).parents[2] / "web-build"
STROKES = [[[10, 200, 200], [10, 10, 90]]]


@pytest.fixture(scope="module")
def schema_file(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("schema") / "openapi.json"
    file.write_bytes(httpx.get(f"{url}api/v1/openapi.json").raise_for_status().content)
    return file


@pytest.fixture(scope="module")
def python_client(schema_file: Path) -> Iterator[Path]:
    """Generate a package named ``generated_client``; warnings are errors."""
    pytest.importorskip("openapi_python_client")
    folder = schema_file.parent
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(schema_file), "--meta", "none"]
    command += ["--config", str(CLIENTS / "openapi-python-client.yml"), "--fail-on-warning"]
    command += ["--output-path", str(folder / "generated_client")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))
    for name in [one for one in sys.modules if one.split(".")[0] == "generated_client"]:
        del sys.modules[name]


def test_the_python_client_searches(python_client: Path, url: str, library: Library) -> None:
    def operation(name: str) -> Any:
        return importlib.import_module(f"generated_client.api.{name}")

    models = importlib.import_module("generated_client.models")
    new_client = importlib.import_module("generated_client").Client
    with new_client(base_url=url, raise_on_unexpected_status=True) as client:
        status = operation("library.get_status").sync(client=client)
        assert (status.name, status.library.photos) == ("discs", len(library))

        query = models.SketchSearchRequest(strokes=STROKES, k=3)
        found = operation("search.search_sketch").sync(client=client, body=query)
        expected = library.search(STROKES, k=3)
        assert [(one.id, one.path) for one in found.results] == [(one.id, str(one.path)) for one in expected]

        best = expected[0]
        photo = operation("photos.get_photo").sync(best.id, client=client)
        assert (photo.id, photo.name, photo.missing) == (best.id, best.path.name, False)
        assert int(photo.date.timestamp()) == int(Path(best.path).stat().st_mtime)

        file = operation("photos.get_photo_file").sync(best.id, client=client)
        assert file.payload.read() == library.photo_bytes(best.id)

        body = models.RefinedSearchRequest(photo_id=best.id, negative=[expected[1].id], k=2)
        refined = operation("search.refine_search").sync(client=client, body=body)
        wanted = library.refine(photo=best.id, negative=[expected[1].id], k=2)
        assert [one.id for one in refined.results] == [one.id for one in wanted]

        gone = operation("photos.get_photo").sync(999_999, client=client)
        assert isinstance(gone, models.ErrorResponse)
        assert gone.error.type_ == "PhotoNotFound"


def test_the_typescript_client_searches(schema_file: Path, url: str, library: Library, tmp_path: Path) -> None:
    node, modules = shutil.which("node"), WEB_BUILD / "node_modules"
    if node is None or not (modules / "openapi-typescript").is_dir():
        pytest.skip("Node.js or openapi-typescript is not installed: run npm ci in web-build/")

    def run(*arguments: str | Path) -> str:
        command = [node, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=tmp_path)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "node_modules").symlink_to(modules)
    shutil.copy(CLIENTS / "search.ts", tmp_path)
    # Fields with a default are optional in requests; in responses the schema marks them as required.
    generator = modules / "openapi-typescript" / "bin" / "cli.js"
    run(generator, schema_file, "--output", tmp_path / "api.d.ts", "--default-non-nullable=false")
    compiler = modules / "typescript" / "lib" / "tsc.js"
    run(compiler, "--strict", "--noUncheckedIndexedAccess", "--target", "es2022", "--module", "nodenext", "search.ts")
    found = json.loads(run("search.js", url.removesuffix("/")))

    expected = library.search(STROKES, k=3)
    refined = library.refine(photo=expected[0].id, negative=[expected[1].id], k=2)
    assert found == {
        "photos": len(library),
        "names": [one.path.name for one in expected],
        "timed": True,
        "name": expected[0].path.name,
        "refined": [one.id for one in refined],
        "error": "PhotoNotFound",
    }

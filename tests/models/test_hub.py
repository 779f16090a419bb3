"""Pushing and pulling models, against a stand-in for the Hub that HF_ENDPOINT names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub")

from hub_server import HubServer, hub_server
from sketchseek.cli import cli
from sketchseek.errors import InputError
from sketchseek.models.hub import model_card, pull_model, push_model
from sketchseek.models.package import load_model_package
from tiny_model import write_tiny_package


@pytest.fixture
def server() -> Iterator[HubServer]:
    with hub_server() as running:
        yield running


@pytest.fixture
def package(tmp_path: Path) -> Path:
    made = write_tiny_package(tmp_path / "source", name="large").path
    (made / "CARD.md").write_text("# large\n\nFinds large things.\n")
    (made / "secret.txt").write_text("not part of the package")
    return made


def call(server: HubServer, home: Path, *arguments: str, token: str = "hf_test") -> subprocess.CompletedProcess[str]:
    """``sketchseek models`` in a process of its own: huggingface_hub reads the environment when it is imported."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    env = inherited | {
        "HF_ENDPOINT": server.address,
        "HF_HOME": str(home / "hf"),
        "SKETCHSEEK_MODELS": str(home / "models"),
        "NO_PROXY": "127.0.0.1",
        "HF_HUB_DISABLE_XET": "1",  # its protocol is not stood in for
    }
    env |= {"HF_TOKEN": token} if token else {}
    return subprocess.run(
        [sys.executable, "-m", "sketchseek", "models", *arguments], env=env, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_a_model_is_pushed_then_pulled_and_is_the_same(server: HubServer, package: Path, tmp_path: Path) -> None:
    pushed = call(server, tmp_path, str(package), "--push", "me/large")
    assert pushed.returncode == 0, pushed.stderr
    files = server.repositories["me/large"]
    assert set(files) == {"manifest.json", "photo.onnx", "sketch.onnx", "README.md"}
    assert server.private == {"me/large": True}
    assert b"Finds large things." in files["README.md"]
    assert server.tokens == {"Bearer hf_test"}
    files |= {"model.pkl": b"pickle", "README.md": b"mine"}
    again = call(server, tmp_path, str(package), "--push", "me/large")
    assert again.returncode == 0, again.stderr
    assert server.repositories["me/large"]["README.md"] == b"mine"
    server.asked.clear()
    pulled = call(server, tmp_path, "--pull", "me/large", "--json")
    assert pulled.returncode == 0, pulled.stderr
    (model,) = json.loads(pulled.stdout)
    assert model["fingerprint"] == load_model_package(package).manifest.fingerprint
    assert (model["ok"], model["path"]) == (True, str(tmp_path / "models/large"))
    assert server.commit("me/large") in pulled.stderr
    assert sorted(file.name for file in (tmp_path / "models/large").iterdir()) == [
        "manifest.json", "photo.onnx", "sketch.onnx",
    ]  # fmt: skip
    assert not [path for _, path in server.asked if path.endswith((".pkl", ".md"))]
    assert not list((tmp_path / "models").glob(".installing-*"))


@pytest.mark.slow
def test_what_pull_refuses(server: HubServer, package: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", "photo.onnx", "sketch.onnx"):
        server.repositories.setdefault("me/large", {})[name] = (package / name).read_bytes()
    good = dict(server.repositories["me/large"])
    manifest = json.loads(good["manifest.json"])
    manifest["photo"]["file"] = "photo.pkl"
    cases = {
        "me/none": ("no such repository", {}),
        "me/empty": ("has no manifest.json", {"notes.txt": b"x"}),
        "me/damaged": ("SHA-256 differs", good | {"sketch.onnx": b"damaged"}),
        "me/pickle": ("is no graph", good | {"manifest.json": json.dumps(manifest).encode(), "photo.pkl": b"x"}),
        "me/partly": ("has no sketch.onnx", {name: good[name] for name in ("manifest.json", "photo.onnx")}),
    }
    for repository, (message, files) in cases.items():
        if files:
            server.repositories[repository] = files
        result = call(server, tmp_path, "--pull", repository)
        assert (result.returncode, message in result.stderr) == (1, True), (repository, result.stderr)
    wrong = call(server, tmp_path, "--pull", "me/large", "--fingerprint", "0" * 16)
    assert "fingerprint is" in wrong.stderr
    revision = call(server, tmp_path, "--pull", "me/large", "--revision", "old")
    assert "no such repository, revision" in revision.stderr
    assert list((tmp_path / "models").iterdir()) == []


@pytest.mark.slow
def test_push_needs_a_token_and_a_sound_package(server: HubServer, package: Path, tmp_path: Path) -> None:
    without = call(server, tmp_path, str(package), "--push", "me/large", token="")
    assert without.returncode == 1
    assert "hf auth" in without.stderr
    assert "Traceback" not in without.stderr
    server.asked.clear()
    (package / "sketch.onnx").write_bytes(b"damaged")
    damaged = call(server, tmp_path, str(package), "--push", "me/large")
    assert "SHA-256 differs" in damaged.stderr
    assert (server.asked, server.repositories) == ([], {})


@pytest.mark.slow
def test_a_server_that_does_not_answer_is_an_error_without_a_traceback(package: Path, tmp_path: Path) -> None:
    with hub_server() as server:
        pass
    result = call(server, tmp_path, "--pull", "me/large")
    assert result.returncode == 1
    assert "the Hub did not do it" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("repository", ["large", "me/large/more", "https://example.org/a", "me/", ""])
def test_a_repository_is_owner_and_name(package: Path, repository: str) -> None:
    with pytest.raises(InputError, match="not a repository"):
        push_model(package, repository)
    with pytest.raises(InputError, match="not a repository"):
        pull_model(repository)


def test_the_card_names_library_and_license(package: Path) -> None:
    card = model_card(load_model_package(package))
    assert card.startswith("---\nlibrary_name: sketchseek\n")
    assert "license: apache-2.0" in card
    assert card.count("# large") == 1


def test_push_takes_one_model() -> None:
    from click.testing import CliRunner

    result = CliRunner().invoke(cli, ["models", "--push", "me/large"])
    assert result.exit_code == 2
    assert "exactly one MODEL" in result.output

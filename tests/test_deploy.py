"""The systemd unit and the container are hardened, and the server needs no rights that they do not give.

Whether systemd and a container run it was tried by hand: see docs/security.md.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import psutil
import pytest
import yaml

import hostile_requests
from served import as_bytes, picture
from sketchseek import execution
from sketchseek.models.package import ModelPackage
from sketchseek.search.library import Library

DEPLOY = Path(__file__).parents[1] / "deploy"


@pytest.fixture
def unit(tmp_path: Path) -> Path:
    """The unit with a program that exists."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd is not installed")
    text = (DEPLOY / "sketchseek.service").read_text().replace("/opt/sketchseek/bin/sketchseek", "/bin/true")
    path = tmp_path / "sketchseek.service"
    path.write_text(text)
    return path


def test_systemd_accepts_the_unit(unit: Path) -> None:
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert [line for line in done.stderr.splitlines() if "sketchseek" in line] == []


def test_the_unit_is_confined(unit: Path) -> None:
    command = ["systemd-analyze", "security", "--offline=true", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    level = re.search(r"exposure level for .*: (\d+\.\d)", done.stdout)
    if level is None:
        pytest.skip("systemd-analyze cannot judge units offline here")
    assert float(level[1]) < 2.0  # 0 to 10; a unit without any setting has 9.6


def test_the_container_has_no_rights() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    users = re.findall(r"^USER (\S+)", dockerfile, re.MULTILINE)
    assert users == ["10001:10001"]
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["sketchseek"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert "privileged" not in service


def test_the_image_for_gpus_is_built_only_if_it_is_asked_for() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    stages = re.split(r"^FROM (\S+) AS (\S+)$", dockerfile, flags=re.MULTILINE)[1:]
    contents = dict(zip(stages[1::3], stages[2::3], strict=True))
    assert [*contents] == ["build", "gpu-build", "base", "gpu", "cpu"]
    assert f"{execution.VARIABLE}=CUDAExecutionProvider" in contents["gpu"]
    assert "CUDAExecutionProvider" in execution.ON_GPU
    assert "COPY --from=gpu-build /opt/sketchseek /opt/sketchseek" in contents["gpu"]
    assert "COPY --from=build /opt/sketchseek /opt/sketchseek" in contents["cpu"]
    assert "gpu" not in contents["cpu"].lower()


def test_the_commands_use_options_that_exist() -> None:
    from sketchseek.cli.serve import serve_command

    known = {option for parameter in serve_command.params for option in parameter.opts}
    for name in ("sketchseek.service", "Dockerfile", "nginx.conf"):
        used = set(re.findall(r"(?<=[\s\"])--[a-z][a-z-]+", (DEPLOY / name).read_text()))
        used -= {"--now", "--uid", "--no-create-home", "--shell", "--from", "--no-cache-dir", "--build-arg"}
        used -= {"--target", "--gpus", "--yes"}
        used -= {"--interval", "--timeout", "--start-period"}
        assert used <= known, name


def test_the_compose_file_with_object_storage() -> None:
    services = yaml.safe_load((DEPLOY / "compose.s3.yaml").read_text())["services"]
    assert set(services) == {"store", "server", "second-server", "index"}
    for name in ("server", "second-server", "index"):
        service = services[name]
        assert service["build"]["args"] == {"EXTRAS": "cluster"}
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["environment"]["AWS_ENDPOINT"] == "http://store:8333"
    assert services["server"]["command"] == services["second-server"]["command"]  # they differ in nothing but the port
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert len(ports) == len(set(ports)) == 3
    assert all(port.startswith("127.0.0.1:") for port in ports)
    parse("serve", services["server"]["command"][1:])
    parse("index", services["index"]["command"][1:])


def parse(command: str, arguments: list[str]) -> None:
    """Fail unless the command has these options and arguments."""
    from sketchseek.cli import cli

    found = cli.get_command(click.Context(cli), command)
    assert found is not None
    found.make_context(command, list(arguments))


def test_the_manifests_for_kubernetes() -> None:
    kinds = {one["kind"]: one for one in yaml.safe_load_all((DEPLOY / "kubernetes.yaml").read_text())}
    assert set(kinds) == {"ServiceAccount", "Deployment", "Service", "PodDisruptionBudget"}
    spec = kinds["Deployment"]["spec"]
    pod, (container,) = spec["template"]["spec"], spec["template"]["spec"]["containers"]
    labels = spec["template"]["metadata"]["labels"]
    assert spec["selector"]["matchLabels"] == kinds["Service"]["spec"]["selector"] == labels
    assert kinds["PodDisruptionBudget"]["spec"]["minAvailable"] < spec["replicas"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    parse("serve", container["args"][1:])
    hosts = [one.partition("=")[2] for one in container["args"] if one.startswith("--allow-host")]
    for probe, route in (("readinessProbe", "ready"), ("livenessProbe", "live"), ("startupProbe", "live")):
        asked = container[probe]["httpGet"]
        assert asked["path"] == f"/api/v1/health/{route}"
        assert asked["port"] == container["ports"][0]["name"]
        assert asked["httpHeaders"] == [{"name": "Host", "value": hosts[0]}]  # others are refused
    mounted = {mount["name"] for mount in container["volumeMounts"]}
    assert mounted == {volume["name"] for volume in pod["volumes"]}


def test_the_manifest_for_ray() -> None:
    job = yaml.safe_load((DEPLOY / "kuberay.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    program, command, *arguments = job["spec"]["entrypoint"].split()
    assert program == "sketchseek"
    parse(command, arguments)
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    images = {one["image"] for group in groups for one in group["template"]["spec"]["containers"]}
    accounts = {group["template"]["spec"]["serviceAccountName"] for group in groups}
    assert (len(images), accounts) == (1, {"sketchseek"})  # every node has the same versions
    for group in cluster["workerGroupSpecs"]:
        assert group["minReplicas"] <= group["replicas"] <= group["maxReplicas"]


# As the container and the unit have it: another user, no capabilities, nothing writable but the library and the cache.
SANDBOX = (
    *("bwrap", "--die-with-parent", "--unshare-user", "--uid", "10001", "--gid", "10001", "--unshare-pid"),
    *("--unshare-ipc", "--cap-drop", "ALL", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"),
)


@pytest.fixture
def sandboxed(tiny_model: ModelPackage, tmp_path: Path) -> Iterator[tuple[int, psutil.Process, Path]]:
    """A server without rights: its port, its process, and the folder with its library."""
    if shutil.which("bwrap") is None or subprocess.run([*SANDBOX, "true"], capture_output=True).returncode:
        pytest.skip("needs bubblewrap, and a system that lets it make namespaces")
    photos, cache = tmp_path / "photos", tmp_path / "cache"
    photos.mkdir()
    cache.mkdir()
    for number in range(5):
        picture(number).save(photos / f"{number}.png")
    with Library.open(tmp_path / "library", tiny_model.path, create=True) as library:
        library.add([photos])
    writable = ("--bind", str(tmp_path / "library"), str(tmp_path / "library"), "--tmpfs", str(cache))
    command = (sys.executable, "-m", "sketchseek", "serve", "--library", str(tmp_path / "library"))
    process = subprocess.Popen(
        [*SANDBOX, *writable, *command, "--root", str(photos), "--port", "0", "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"PYTHONPATH": os.pathsep.join(sys.path), "XDG_CACHE_HOME": str(cache), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        inside = [one for one in psutil.Process(process.pid).children(recursive=True) if "serve" in one.cmdline()]
        server = next(one for one in inside if "bwrap" not in one.name())
        yield int(json.loads(line)["url"].rsplit(":", 1)[1].strip("/")), server, tmp_path
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_the_server_needs_no_rights(sandboxed: tuple[int, psutil.Process, Path]) -> None:
    port, server, folder = sandboxed
    status = Path(f"/proc/{server.pid}/status").read_text()
    assert re.search(r"CapEff:\t0+$", status, re.MULTILINE)
    assert "NoNewPrivs:\t1" in status

    def ask(method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            connection.request(method, f"/api/v1/{path}", body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    assert ask("GET", "health/ready")[0] == 200
    found = ask("POST", "search/sketch", b'{"strokes":[[[1,5],[1,9]]]}', **{"Content-Type": "application/json"})
    assert len(json.loads(found[1])["results"]) == 5
    upload, kind = hostile_requests.form(as_bytes(picture(1)), "photo")  # decoded in a process of its own
    assert ask("POST", "search/image", upload, **{"Content-Type": kind})[0] == 200
    assert ask("GET", "photos/1/thumbnail?size=160")[0] == 200  # cached where it may write
    token = json.loads(ask("GET", "session")[1])["token"]
    changing = {"Content-Type": "application/json", "X-Sketchseek-Token": token}
    assert ask("POST", "sync", b"{}", **changing)[0] == 202  # writes to the library
    refused = subprocess.run([*SANDBOX, "touch", str(folder / "photos" / "new")], capture_output=True, text=True)
    assert "Read-only" in refused.stderr

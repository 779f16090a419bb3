"""The systemd unit and the container are hardened, as far as this machine can check."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

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


def test_the_commands_use_options_that_exist() -> None:
    from sketchseek.cli.serve import serve_command

    known = {option for parameter in serve_command.params for option in parameter.opts}
    for name in ("sketchseek.service", "Dockerfile", "nginx.conf"):
        used = set(re.findall(r"(?<=[\s\"])--[a-z][a-z-]+", (DEPLOY / name).read_text()))
        used -= {"--now", "--uid", "--no-create-home", "--shell", "--from", "--no-cache-dir"}
        used -= {"--interval", "--timeout", "--start-period"}
        assert used <= known, name

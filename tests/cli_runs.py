"""Calling the commands of a library."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from click.testing import CliRunner, Result

from sketchseek.cli import library as commands
from sketchseek.cli.search import search_command

STROKES = "[[[0, 50, 100, 0], [100, 0, 100, 100]]]"
COMMANDS = {name: getattr(commands, f"{name}_command") for name in (
    "index", "sync", "status", "remove", "failures", "verify"
)} | {"search": search_command}  # fmt: skip


def run(command: str, *arguments: object, text: str | None = None) -> Result:
    """Call a command in this process; its errors come out as exceptions in the result."""
    return CliRunner().invoke(COMMANDS[command], [str(argument) for argument in arguments], input=text)


def run_json(command: str, *arguments: object, text: str | None = None) -> Any:
    result = run(command, *arguments, "--json", text=text)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def run_process(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call the program as a shell does."""
    return subprocess.run(
        [sys.executable, "-m", "sketchseek", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )

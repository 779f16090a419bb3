"""Calling the commands of a library."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
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


class RunningCommand:
    """A command that runs in a process of its own, with ``--json``.

    Args:
        arguments: The command and its arguments.
        script: A program that calls ``sketchseek.cli.main``; by default the program itself.
        timeout: Seconds to wait for its end.
    """

    def __init__(self, *arguments: str, script: str | None = None, timeout: float = 400) -> None:
        self._timeout = timeout
        program = ["-m", "sketchseek"] if script is None else ["-c", script]
        self.process = subprocess.Popen(
            [sys.executable, *program, *arguments, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            env=os.environ | {"RAY_USAGE_STATS_ENABLED": "0", "OMP_NUM_THREADS": "1"},
        )

    def report(self) -> dict[str, int]:
        """Wait for its end and return what it printed."""
        out, err = self.process.communicate(timeout=self._timeout)
        assert self.process.returncode == 0, err.decode()[-3000:]
        found: dict[str, int] = json.loads(out)
        return found

    def kill(self) -> None:
        """Kill it at once, and every process that it left behind."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

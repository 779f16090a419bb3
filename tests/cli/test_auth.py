from __future__ import annotations

import json
import stat
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from sketchseek.cli import cli
from sketchseek.cli.sharing_options import SharingOptions, is_loopback
from sketchseek.errors import ConfigError
from sketchseek.server.users import Users, read_users


def run(*arguments: str | Path, text: str = "") -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["auth", *map(str, arguments)], input=text)
    if isinstance(done.exception, ConfigError):
        return 1, str(done.exception)
    return done.exit_code, done.stdout


@pytest.mark.slow
def test_users_are_added_listed_and_removed(tmp_path: Path) -> None:
    file = tmp_path / "users"
    assert run("add", file, "ada", "--scope", "manage", text="long enough\nlong enough\n")[0] == 0
    assert run("add", file, "bob", "--password-stdin", text="another password\n")[0] == 0
    code, out = run("add", file, "backup", "--token", "--scope", "read", "--json")
    assert code == 0
    token = json.loads(out)["token"]
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    text = file.read_text()
    assert not any(secret in text for secret in ("long enough", "another password", token))
    users = Users(file)
    found = [
        users.by_password("ada", "long enough"),
        users.by_password("bob", "another password"),
        users.by_token(token),
    ]
    assert [(user.name, user.scope) for user in found if user] == [
        ("ada", "manage"),
        ("bob", "search"),
        ("backup", "read"),
    ]
    assert users.by_password("ada", "another password") is None
    assert users.by_password("backup", token) is None
    assert users.by_token("long enough") is None
    listed = json.loads(run("list", file, "--json")[1])
    assert listed[2] == {"name": "backup", "kind": "token", "scope": "read"}
    assert run("remove", file, "bob")[0] == 0
    assert users.get("bob") is None  # a running server notices
    assert run("remove", file, "bob")[0] == 1


@pytest.mark.parametrize(
    ("name", "text"), [("a:b", "long enough\n"), ("ä", "long enough\n"), ("a", "short\n"), ("a", "\n")]
)
def test_what_is_no_user(tmp_path: Path, name: str, text: str) -> None:
    assert run("add", tmp_path / "users", name, "--password-stdin", text=text)[0] == 1
    assert not (tmp_path / "users").exists()


@pytest.mark.parametrize(
    "line",
    [
        "ada",
        "ada:password:manage:plain",
        "ada:password:root:scrypt$15$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "ada:password:read:scrypt$40$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "ada:token:read:sha256$00",
        "ada:token:read:sha256$" + "0" * 64 + "\nada:token:read:sha256$" + "1" * 64,
        "ä:token:read:x",
    ],
)
def test_a_damaged_file_is_refused(tmp_path: Path, line: str) -> None:
    file = tmp_path / "users"
    file.write_text(line + "\n", encoding="utf-8")
    file.chmod(0o600)
    with pytest.raises(ConfigError):
        read_users(file)


def test_a_file_that_others_can_write_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "users"
    file.write_text("")
    for mode, ok in ((0o600, True), (0o644, True), (0o660, False), (0o602, False)):
        file.chmod(mode)
        if ok:
            assert read_users(file) == {}
        else:
            with pytest.raises(ConfigError, match="write to it"):
                read_users(file)


def test_serving_others_needs_users_or_a_word(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "::", "192.168.1.7", "photos.example", ""):
        with pytest.raises(click.UsageError, match=r"--auth FILE .* or --no-auth"):
            SharingOptions().check(host)
        SharingOptions(no_auth=True).check(host)
        SharingOptions(auth=tmp_path / "users").check(host)
        assert not is_loopback(host)
    for host in ("127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"):
        SharingOptions().check(host)
        assert SharingOptions(no_auth=True).warnings(host) == []
    assert "unencrypted" in SharingOptions(auth=tmp_path).warnings("0.0.0.0")[0]
    assert SharingOptions(auth=tmp_path, cert=tmp_path, key=tmp_path).warnings("0.0.0.0") == []


@pytest.mark.parametrize(
    "options",
    [
        SharingOptions(auth=Path("users"), no_auth=True),
        SharingOptions(cert=Path("cert.pem")),
        SharingOptions(allow_origin=("*",)),
        SharingOptions(allow_origin=("https://photos.example/",)),
        SharingOptions(allow_origin=("null",)),
        SharingOptions(root_path="photos"),
        SharingOptions(trusted_proxy=("*",)),
        SharingOptions(trusted_proxy=("proxy.example",)),
    ],
)
def test_options_that_do_not_make_sense(options: SharingOptions) -> None:
    with pytest.raises(click.UsageError):
        options.check("127.0.0.1")


def test_the_command_refuses_to_share_by_accident(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["serve", "--host", "0.0.0.0", "--library", str(tmp_path / "none")])
    assert done.exit_code == 2
    assert "--no-auth" in done.output

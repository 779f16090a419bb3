"""``sketchseek auth``: the users and tokens of a server."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from sketchseek.cli.output import json_option, print_json
from sketchseek.cli.report_errors import report_errors

_FILE = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


@click.group("auth")
def auth_command() -> None:
    """Manage the users and tokens of a server. "sketchseek serve --auth FILE" reads the file.

    \b
    Examples:
      sketchseek auth add users ada --scope manage
      sketchseek auth add users backup --scope read --token
      sketchseek auth list users
    """


@auth_command.command("add")
@_FILE
@click.argument("name")
@click.option(
    "--scope",
    type=click.Choice(["read", "search", "manage"]),
    default="search",
    show_default=True,
    help="What the user may do: read photos and details; search too; add folders and sync too.",
)
@click.option(
    "--token", is_flag=True, help="Make a token for a program, and print it once. Default: ask for a password."
)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input.")
@json_option
def add_command(file: Path, name: str, scope: str, token: bool, password_stdin: bool, as_json: bool) -> None:
    """Add a user, or replace one. The server notices at once.

    \b
    Examples:
      sketchseek auth add users ada --scope manage
      sketchseek auth add users backup --scope read --token --json
    """
    from typing import cast

    from sketchseek.errors import ConfigError
    from sketchseek.server.access import ScopeName
    from sketchseek.server.users import (
        MAX_PASSWORD,
        MIN_PASSWORD,
        NAME,
        User,
        hash_password,
        hash_token,
        new_token,
        read_users,
        write_users,
    )

    with report_errors(as_json):
        if not NAME.fullmatch(name):
            raise ConfigError(
                "not a name for a user.", subject=name, remedy="Use up to 64 letters, digits, dots, - and _."
            )
        users = read_users(file) if file.exists() else {}
        secret = new_token() if token else _password(password_stdin)
        if not token and not MIN_PASSWORD <= len(secret) <= MAX_PASSWORD:
            raise ConfigError(
                f"the password must have {MIN_PASSWORD} to {MAX_PASSWORD:,} characters.", remedy="Choose another one."
            )
        hashed = hash_token(secret) if token else hash_password(secret)
        users[name] = User(name, "token" if token else "password", cast(ScopeName, scope), hashed)
        write_users(file, users)
    if as_json:
        print_json({"name": name, "scope": scope, **({"token": secret} if token else {})})
    elif token:
        click.echo(secret)
        click.echo("Keep this token: only its hash is stored.", err=True)
    else:
        click.echo(f"{name} can log in with the scope {scope}.")


@auth_command.command("remove")
@_FILE
@click.argument("name")
@json_option
def remove_command(file: Path, name: str, as_json: bool) -> None:
    """Remove a user or token. Sessions of the user end at once.

    \b
    Examples:
      sketchseek auth remove users ada
    """
    from sketchseek.errors import ConfigError
    from sketchseek.server.users import read_users, write_users

    with report_errors(as_json):
        users = read_users(file)
        if users.pop(name, None) is None:
            raise ConfigError("there is no such user.", subject=name, remedy='Run "sketchseek auth list".')
        write_users(file, users)
    if as_json:
        print_json({"removed": name})
    else:
        click.echo(f"{name} was removed.")


@auth_command.command("list")
@_FILE
@json_option
def list_command(file: Path, as_json: bool) -> None:
    """List users and tokens.

    \b
    Examples:
      sketchseek auth list users --json
    """
    from sketchseek.server.users import read_users

    with report_errors(as_json):
        users = read_users(file).values()
    if as_json:
        print_json([{"name": user.name, "kind": user.kind, "scope": user.scope} for user in users])
    else:
        for user in users:
            click.echo(f"{user.name:<20} {user.kind:<8} {user.scope}")


def _password(from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    answer: str = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    return answer

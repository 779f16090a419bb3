"""Users and tokens of a server, in a text file with one line for each: ``name:kind:scope:secret``.

A password is stored as its scrypt hash, a token as its SHA-256: tokens are 256 random bits, which nobody can guess.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import secrets
import stat
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from sketchseek.atomic_write import atomic_write
from sketchseek.errors import ConfigError
from sketchseek.server.access import SCOPES, Access, ScopeName

NAME = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
MIN_PASSWORD, MAX_PASSWORD = 8, 1024
TOKEN_PREFIX = "sks_"

Kind = Literal["password", "token"]

_COST, _BLOCK, _PARALLEL = 15, 8, 1  # of scrypt: 32 MB and about 0.1 s
_MAX_COST = 20
_MAX_FILE = 1_000_000


@dataclass(frozen=True)
class User:
    """One line of the file.

    Attributes:
        name: Letters, digits, ``.``, ``_`` and ``-``.
        kind: ``password`` for people, ``token`` for programs.
        scope: The highest scope.
        secret: Hash of the password or token.
    """

    name: str
    kind: Kind
    scope: ScopeName
    secret: str

    @property
    def access(self) -> Access:
        """What the user may do."""
        scopes = SCOPES[: SCOPES.index(self.scope) + 1]
        return Access(self.name, frozenset(scopes), by_token=self.kind == "token")


class Users:
    """The users in a file. The file is read again when it changes.

    Args:
        path: The file.

    Raises:
        ConfigError: The file cannot be read or used.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._one_at_a_time = threading.Lock()  # each check of a password takes 32 MB
        self._stamp = _stamp(path)
        self._users = read_users(path)
        self._nobody = hash_password(secrets.token_urlsafe())

    def get(self, name: str) -> User | None:
        """Return a user by name."""
        return self._current().get(name)

    def by_password(self, name: str, password: str) -> User | None:
        """Return the user with a name and password. Takes equally long whether or not there is such a user."""
        user = self._current().get(name)
        known = user is not None and user.kind == "password"
        with self._one_at_a_time:
            right = check_password(password, user.secret if user is not None and known else self._nobody)
        return user if known and right else None

    def by_token(self, token: str) -> User | None:
        """Return the user with a token. Takes equally long whether or not there is one."""
        sent = hash_token(token)
        found = None
        for user in self._current().values():
            if hmac.compare_digest(user.secret.encode(), sent.encode()) and user.kind == "token":
                found = user
        return found

    def _current(self) -> dict[str, User]:
        with self._lock, contextlib.suppress(OSError, ConfigError):  # while it is being replaced, the last state counts
            stamp = _stamp(self.path)
            if stamp != self._stamp:
                self._users, self._stamp = read_users(self.path), stamp
        return self._users


def read_users(path: Path) -> dict[str, User]:
    """Return the users in a file by name.

    Raises:
        ConfigError: The file cannot be read, others can write to it, or a line is wrong.
    """
    remedy = 'Make it with "sketchseek auth add".'
    try:
        with path.open(encoding="ascii") as file:
            mode = os.fstat(file.fileno()).st_mode
            text = file.read(_MAX_FILE)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is not ASCII text"
        raise ConfigError(f"cannot read the users ({reason}).", subject=path, remedy=remedy) from error
    if os.name == "posix" and mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise ConfigError(
            "other users of this machine can write to it.", subject=path, remedy=f'Run "chmod 600 {path}".'
        )
    users: dict[str, User] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        user = _parse(line)
        if user is None or user.name in users:
            raise ConfigError(f"line {number} is not a user, or names one twice.", subject=path, remedy=remedy)
        users[user.name] = user
    return users


def write_users(path: Path, users: dict[str, User]) -> None:
    """Replace the file of users. Only its owner can read it.

    Raises:
        ConfigError: It cannot be written.
    """
    lines = [f"{user.name}:{user.kind}:{user.scope}:{user.secret}\n" for user in users.values()]
    try:
        atomic_write(path, "".join(lines).encode("ascii"))
        path.chmod(0o600)
    except OSError as error:
        raise ConfigError(f"cannot write the users ({error.strerror}).", subject=path) from error


def hash_password(password: str) -> str:
    """Return the scrypt hash of a password, with its salt and cost."""
    salt = secrets.token_bytes(16)
    parts = (
        str(_COST),
        str(_BLOCK),
        str(_PARALLEL),
        *map(_encode, (salt, _scrypt(password, salt, _COST, _BLOCK, _PARALLEL))),
    )
    return "$".join(("scrypt", *parts))


def check_password(password: str, hashed: str) -> bool:
    """Return whether a password has a hash; compares in constant time."""
    _, cost, block, parallel, salt, expected = hashed.split("$")
    found = _scrypt(password[:MAX_PASSWORD], _decode(salt), int(cost), int(block), int(parallel))
    return hmac.compare_digest(found, _decode(expected))


def new_token() -> str:
    """Return a new token."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """Return the stored form of a token."""
    return "sha256$" + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _scrypt(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode("utf-8", "surrogatepass"),
        salt=salt,
        n=2**cost,
        r=block,
        p=parallel,
        maxmem=2 * 128 * block * 2**cost,
        dklen=32,
    )


def _parse(line: str) -> User | None:
    parts = line.strip().split(":")
    if len(parts) != 4:
        return None
    name, kind, scope, secret = parts
    pattern = {
        "password": r"scrypt\$(\d{1,2})\$([1-9]|1\d)\$[1-4]\$[\w+/]{22}==\$[\w+/]{43}=",
        "token": r"sha256\$[0-9a-f]{64}",
    }.get(kind)
    if pattern is None or scope not in SCOPES or not NAME.fullmatch(name):
        return None
    match = re.fullmatch(pattern, secret, re.ASCII)
    if match is None or (kind == "password" and not 10 <= int(match[1]) <= _MAX_COST):
        return None
    return User(name, cast(Kind, kind), scope, secret)


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.stat()
    except OSError:
        return (0, 0, 0)
    return status.st_mtime_ns, status.st_size, status.st_ino


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _decode(text: str) -> bytes:
    return base64.b64decode(text)

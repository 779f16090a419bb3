"""Options of ``sketchseek serve`` for servers that others can reach."""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import click

if TYPE_CHECKING:
    import ssl

    from sketchseek.server.sharing import Sharing

_Command = TypeVar("_Command", bound=Callable[..., Any])
_FILE = click.Path(dir_okay=False, path_type=Path)


@dataclass(frozen=True)
class SharingOptions:
    """Values of the options."""

    auth: Path | None = None
    no_auth: bool = False
    cert: Path | None = None
    key: Path | None = None
    root_path: str = ""
    trusted_proxy: tuple[str, ...] = ()
    allow_origin: tuple[str, ...] = ()
    audit_log: Path | None = None

    def check(self, host: str) -> None:
        """Raise UsageError if the options do not go together, or not with the address to listen on."""
        if self.auth and self.no_auth:
            raise click.UsageError("--auth and --no-auth exclude each other.")
        if not is_loopback(host) and not (self.auth or self.no_auth):
            raise click.UsageError(
                f"--host {host} lets others reach this server. Add --auth FILE with its users (see "
                '"sketchseek auth --help"), or --no-auth if everyone in the network may see your photos.'
            )
        if (self.cert is None) != (self.key is None):
            raise click.UsageError("--cert and --key need each other.")
        self._check_addresses()

    def _check_addresses(self) -> None:
        for origin in self.allow_origin:
            parts = urlsplit(origin)
            if parts.scheme not in ("http", "https") or f"{parts.scheme}://{parts.netloc}" != origin:
                raise click.UsageError(f"--allow-origin {origin} is not an origin, such as https://photos.example.")
        if self.root_path and not (self.root_path.startswith("/") and self.root_path.strip("/")):
            raise click.UsageError(f"--root-path {self.root_path} is not a path, such as /photos.")
        for proxy in self.trusted_proxy:
            try:
                ipaddress.ip_network(proxy, strict=False)
            except ValueError as error:
                raise click.UsageError(f"--trusted-proxy {proxy} is not an address or a network.") from error

    def sharing(self) -> Sharing:
        """Return the server's settings.

        Raises:
            ConfigError: A file cannot be used.
        """
        from sketchseek.server.audit_log import AuditLog
        from sketchseek.server.sharing import Sharing
        from sketchseek.server.users import Users

        return Sharing(
            users=None if self.auth is None else Users(self.auth),
            origins=self.allow_origin,
            proxies=self.trusted_proxy,
            audit=AuditLog(self.audit_log),
        )

    def tls(self) -> ssl.SSLContext | None:
        """Return the context of TLS connections; None for plain HTTP.

        Raises:
            ConfigError: The files cannot be used.
        """
        from sketchseek.server.running import tls_context

        return None if self.cert is None or self.key is None else tls_context(self.cert, self.key)

    def warnings(self, host: str) -> list[str]:
        """Return what the user should know about the risks of the options."""
        if is_loopback(host):
            return []
        found = []
        if self.no_auth:
            found.append("Warning: everyone who can reach this machine can see the photos of this library.")
        if self.auth and self.cert is None and not self.trusted_proxy:
            found.append("Warning: passwords and photos travel unencrypted. Add --cert and --key.")
        return found


def sharing_options(command: _Command) -> _Command:
    """Add the options; the command gets them as its argument ``sharing``, a ``SharingOptions``."""
    names = [field.name for field in fields(SharingOptions)]

    @functools.wraps(command)
    def wrapped(**values: Any) -> Any:
        sharing = SharingOptions(**{name: values.pop(name) for name in names})
        return command(**values, sharing=sharing)

    for option in reversed(
        [
            click.option("--auth", type=_FILE, metavar="FILE", help='Users of the server, from "sketchseek auth add".'),
            click.option("--no-auth", is_flag=True, help="Let everyone who can reach the server use it."),
            click.option("--cert", type=_FILE, metavar="PEM", help="Certificate for TLS."),
            click.option("--key", type=_FILE, metavar="PEM", help="Private key for TLS."),
            click.option(
                "--root-path",
                default="",
                metavar="PATH",
                callback=lambda _context, _option, value: value.rstrip("/"),
                help="Path below which a reverse proxy serves the server, such as /photos.",
            ),
            click.option(
                "--trusted-proxy",
                multiple=True,
                metavar="ADDRESS",
                help="Believe X-Forwarded-For and X-Forwarded-Proto of this address or network; repeat for several.",
            ),
            click.option(
                "--allow-origin",
                multiple=True,
                metavar="ORIGIN",
                help="Let pages of another origin use the REST API (CORS); repeat for several.",
            ),
            click.option(
                "--audit-log", type=_FILE, metavar="FILE", help="Append a line of JSON for each login and change."
            ),
        ]
    ):
        wrapped = option(wrapped)
    return wrapped  # type: ignore[return-value]  # the decorators keep the command's own arguments


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"

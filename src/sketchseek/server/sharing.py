"""What a server that others can reach is told: its users, other origins, proxies, and where changes are recorded."""

from __future__ import annotations

from dataclasses import dataclass, field

from sketchseek.server.audit_log import AuditLog
from sketchseek.server.users import Users


@dataclass(frozen=True)
class Sharing:
    """Settings of a server that others can reach.

    Attributes:
        users: The users; without them, everybody may do everything.
        origins: Origins of other sites whose pages may use the REST API, such as ``https://photos.example``.
        proxies: Addresses of reverse proxies, whose ``X-Forwarded-For`` and ``X-Forwarded-Proto`` are believed.
        audit: Records changes and logins.
    """

    users: Users | None = None
    origins: tuple[str, ...] = ()
    proxies: tuple[str, ...] = ()
    audit: AuditLog = field(default_factory=AuditLog)

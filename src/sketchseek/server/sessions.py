"""Sessions of logged-in browsers, and the limit on attempts to log in."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
import threading
import time
from collections import OrderedDict

LIFETIME = 12 * 3600.0
"""Seconds after which a user has to log in again."""

_MAX_SESSIONS = 1000
_MAX_CLIENTS = 10_000


class Sessions:
    """Sessions, in memory: they end with the server. Only hashes of their keys are kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sessions: OrderedDict[bytes, tuple[str, float]] = OrderedDict()  # user and end; the oldest first

    def start(self, user: str) -> str:
        """Start a session and return its key."""
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._sessions[_hash(key)] = (user, time.monotonic() + LIFETIME)
            while len(self._sessions) > _MAX_SESSIONS:
                self._sessions.popitem(last=False)
        return key

    def user(self, key: str) -> str | None:
        """Return the user of a session; None if it has ended."""
        with self._lock:
            user, end = self._sessions.get(_hash(key), ("", 0.0))
        return user if end > time.monotonic() else None

    def end(self, key: str) -> None:
        """End a session."""
        with self._lock:
            self._sessions.pop(_hash(key), None)


class AttemptLimit:
    """Limits attempts to log in: per client, and in all.

    Each client has ``burst`` attempts, and gets one back every ``seconds``. A successful login gives its attempt back.

    Args:
        burst: Attempts of one client in a row.
        seconds: Time after which a client has one attempt more.
        total: The same for all clients together, with a tenth of the time.
    """

    def __init__(self, burst: int = 5, seconds: float = 12.0, total: int = 30) -> None:
        self._burst = burst
        self._seconds = seconds
        self._total = total
        self._lock = threading.Lock()
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()  # attempts used, and when that was

    def wait(self, client: str) -> float:
        """Count an attempt; return 0, or the seconds after which the client may try again."""
        with self._lock:
            limits = ((_network(client), self._burst, self._seconds), ("", self._total, self._seconds / 10))
            now = time.monotonic()
            used = [self._used_now(key, seconds, now) for key, _, seconds in limits]
            waits = [(count + 1 - most) * seconds for count, (_, most, seconds) in zip(used, limits, strict=True)]
            if max(waits) > 0:
                return max(waits)
            for count, (key, _, _) in zip(used, limits, strict=True):
                self._used[key] = (count + 1, now)
                self._used.move_to_end(key)
            while len(self._used) > _MAX_CLIENTS:
                self._used.popitem(last=False)
            return 0.0

    def give_back(self, client: str) -> None:
        """Give the attempt of a successful login back."""
        with self._lock:
            for key in (_network(client), ""):
                count, then = self._used.get(key, (0.0, 0.0))
                self._used[key] = (max(0.0, count - 1), then)

    def _used_now(self, key: str, seconds: float, now: float) -> float:
        count, then = self._used.get(key, (0.0, now))
        return max(0.0, count - (now - then) / seconds)


def _network(client: str) -> str:
    """Return what counts as one client: an IPv4 address, or an IPv6 network, which one person can have all of."""
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return client
    if isinstance(address, ipaddress.IPv6Address):
        return str(address.ipv4_mapped or ipaddress.ip_network((int(address) >> 64 << 64, 64)))
    return str(address)


def _hash(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()

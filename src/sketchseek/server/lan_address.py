"""The address at which other devices reach a server that listens on every interface."""

from __future__ import annotations

import ipaddress
import socket


def lan_url(listener: socket.socket, scheme: str = "http") -> str | None:
    """Return the URL for other devices in the local network.

    Returns:
        None if the socket listens on one address only, or the machine has no address but its own.
    """
    host, port = listener.getsockname()[:2]
    if not ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        return None
    address = _outgoing_address()
    return None if address is None else f"{scheme}://{address}:{port}/"


def _outgoing_address() -> str | None:
    """Return the address that packets to another network would have as their source. None is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address for documentation (RFC 5737), which belongs to no one
        except OSError:
            return None
        address = str(probe.getsockname()[0])
    return None if ipaddress.ip_address(address).is_loopback else address

"""The address for other devices."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from sketchseek.server import lan_address
from sketchseek.server.lan_address import lan_url


@pytest.fixture
def bound() -> Iterator[Callable[[str], socket.socket]]:
    sockets = []

    def bind(host: str) -> socket.socket:
        sockets.append(socket.create_server((host, 0)))
        return sockets[-1]

    yield bind
    for one in sockets:
        one.close()


def test_a_server_on_one_address_has_no_other(bound: Callable[[str], socket.socket]) -> None:
    assert lan_url(bound("127.0.0.1")) is None


def test_a_server_on_every_interface_names_the_machine(
    bound: Callable[[str], socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lan_address, "_outgoing_address", lambda: "192.168.7.9")
    listener = bound("0.0.0.0")
    port = listener.getsockname()[1]
    assert lan_url(listener) == f"http://192.168.7.9:{port}/"
    assert lan_url(listener, "https") == f"https://192.168.7.9:{port}/"
    monkeypatch.setattr(lan_address, "_outgoing_address", lambda: None)
    assert lan_url(listener) is None


def test_the_outgoing_address_is_an_address_of_this_machine() -> None:
    address = lan_address._outgoing_address()
    if address is None:
        pytest.skip("this machine has no network")
    with socket.create_server((address, 0)):
        pass

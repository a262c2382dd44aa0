from __future__ import annotations

import os
import socket

import pytest

from emulator.exceptions import EmulatorError, PortInUse
from emulator.ports import listen, port_of


def test_a_port_in_use_is_named_with_its_holder_and_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = port_of(taken)
        with pytest.raises(PortInUse) as caught:
            listen("127.0.0.1", port, "the front door alb")
    text = str(caught.value)
    assert f"Port {port}, wanted for the front door alb, is in use by python" in text
    assert f"process {os.getpid()}" in text
    assert "--port" in text


def test_any_free_port() -> None:
    with listen("127.0.0.1", 0, "a test") as sock:
        assert port_of(sock) > 0


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_that_is_not_ours(host: str) -> None:
    with pytest.raises(EmulatorError, match=host):
        listen(host, 0, "the CDN")

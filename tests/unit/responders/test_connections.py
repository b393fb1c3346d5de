import os
import socket

from hypothesis import given
from hypothesis import strategies as st

from pratique.responders import read_connections
from pratique.responders.connections import parse_table


def test_connections_to_a_listener_are_counted_and_loopback_listeners_are_not() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server, socket.create_server(("127.0.0.11", 0)) as hidden:
        port = server.getsockname()[1]
        before = read_connections(os.getpid())
        assert before is not None
        assert port in before.listening
        assert hidden.getsockname()[1] not in before.listening
        with socket.create_connection(("127.0.0.1", port)):
            now = read_connections(os.getpid())
            assert now is not None
            assert now.incoming >= 1


def test_process_that_is_gone_has_none() -> None:
    assert read_connections(2**22 + 1) is None


@given(st.text())
def test_no_table_breaks_the_reader(table: str) -> None:
    parse_table("head\n" + table)

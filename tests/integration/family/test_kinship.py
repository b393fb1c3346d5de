"""Families on a real engine behind a running agent: copies of a condemned image, and new versions of a listed one."""

import io
import secrets
import tarfile
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import docker
import msgspec
import pytest
from docker.errors import APIError

from pratique.model import Protocol
from pratique.policy import Allow, Builds, Document, ImagePolicy, Inherit, Unlisted, render
from testbed import images
from testbed.engine import ThrowAwayEngine
from testbed.protection import Protection

PATIENCE_S = 30.0
REDIS_NETWORK = "10.213.0.0/24"


def kit(name: str) -> dict[str, bytes]:
    """Twenty files that nobody else has."""
    return {
        f"opt/kit/{number}.sh": f"# {name}, part {number}\n{'echo harmless ' * number}\n".encode()
        for number in range(20)
    }


def document() -> Document:
    checkout = ImagePolicy(
        name="shop/checkout",
        ids=(images.checkout().id,),
        allow=(Allow(to=REDIS_NETWORK, port=6379, protocol=Protocol.TCP),),
    )
    redis = ImagePolicy(name="shop/redis", ids=(images.redis().id,))
    return Document(builds=Builds.ALLOW, unlisted=Unlisted(inherit=Inherit.ANY), images=(checkout, redis))


@pytest.fixture(scope="module")
def protected(root: None) -> Iterator[Protection]:
    del root
    with ThrowAwayEngine() as engine:
        client = engine.client()
        for image in (images.base(), images.redis(), images.checkout()):
            image.load(client)
        client.close()
        with Protection(engine, render(document())) as protection:
            yield protection


@pytest.fixture
def client(protected: Protection) -> Iterator[docker.DockerClient]:
    """A client of the engine; what the test made is gone afterwards, and nobody is condemned any more."""
    client = protected.engine.client()
    before = {image.id for image in client.images.list(all=True)}
    yield client
    for container in client.containers.list(all=True):
        container.remove(force=True)
    for image in client.images.list():
        if image.id not in before:
            client.images.remove(str(image.id), force=True)
    client.close()


def wait_for(fact: Callable[[], Any], seconds: float = PATIENCE_S) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)
    return found


def build(client: docker.DockerClient, tag: str, files: Mapping[str, bytes], *lines: str) -> str:
    """Build an image on the engine and return its id."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        dockerfile = "\n".join(lines).encode()
        for name, content in {"Dockerfile": dockerfile, **files}.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode, entry.mtime = len(content), 0o755, int(time.time())
            tar.addfile(entry, io.BytesIO(content))
    buffer.seek(0)
    image, _ = client.images.build(fileobj=buffer, custom_context=True, tag=tag, rm=True, nocache=True)
    return str(image.id)


def create(client: docker.DockerClient, image: str, *command: str) -> str:
    return str(client.api.create_container(image, list(command) or None)["Id"])


def refusal(client: docker.DockerClient, image: str) -> str:
    with pytest.raises(APIError) as refused:
        create(client, image)
    return str(refused.value.explanation)


def changed(parts: dict[str, bytes]) -> dict[str, bytes]:
    """A kit with one part changed, one gone and one new, at other paths."""
    parts = {path.replace("opt/kit", "srv/.cache"): content for path, content in parts.items()}
    first, second = list(parts)[:2]
    parts[first] += secrets.token_hex(8).encode()
    del parts[second]
    return parts | {"srv/.cache/new.sh": secrets.token_bytes(300)}


def test_rebuilt_copies_of_a_condemned_image_are_refused_and_told(
    protected: Protection, client: docker.DockerClient
) -> None:
    parts = kit("miner")
    first = build(client, "evil/kit:1", parts, "FROM alpine-like/base:1", "COPY opt /opt", 'CMD ["/opt/kit/1.sh"]')
    create(client, first)  # nothing is known against it
    said = protected.run("condemn", "evil/kit:1", "--reason", "it was seen mining")
    assert "and its kin may not run" in said
    assert "it is condemned for: it was seen mining" in refusal(client, first)

    copy = build(
        client, "nice/tool:7", changed(parts), "FROM alpine-like/base:1", "COPY srv /srv", 'CMD ["/srv/.cache/2.sh"]'
    )
    message = refusal(client, copy)
    assert "start.condemned" in message
    assert "kin of condemned image evil/kit:1" in message
    assert "it was seen mining" in message

    split = build(
        client,
        "nice/tool:8",
        {**changed(parts), "pad/junk": secrets.token_bytes(200_000)},
        "FROM alpine-like/base:1",
        "COPY pad /pad",
        "COPY srv/.cache/1?.sh /x1/",
        "COPY srv/.cache/[2-9].sh /x2/",
        'CMD ["/x2/2.sh"]',
    )
    assert "kin of condemned image evil/kit:1" in refusal(client, split)
    rules = wait_for(lambda: {alert["rule"] for alert in protected.alerts() if alert["image"] == split} or None)
    assert {"image.kin", "api.condemned-image"} & rules
    wait_for(lambda: any(a["rule"] == "image.kin" and a["image"] == copy for a in protected.alerts()))
    create(client, "shop/redis:1")  # what is honest goes on
    create(client, "alpine-like/base:1")


def test_flattened_copy_is_refused(protected: Protection, client: docker.DockerClient) -> None:
    first = build(
        client, "evil/flat:1", kit("flat"), "FROM alpine-like/base:1", "COPY opt /opt", 'CMD ["/opt/kit/1.sh"]'
    )
    container = create(client, first)
    flat = b"".join(cast(Iterator[bytes], client.containers.get(container).export()))
    protected.run("condemn", first)
    imported = client.api.import_image_from_data(flat, repository="squashed/tool", tag="1")
    image_id = msgspec.json.decode(imported.splitlines()[-1])["status"]
    assert "kin of condemned image evil/flat:1" in refusal(client, image_id)


def test_image_without_a_file_of_its_own_is_known_by_what_it_runs(
    protected: Protection, client: docker.DockerClient
) -> None:
    quiet = images.quiet("10.9.9.9", 443)
    quiet.load(client)
    protected.run("condemn", quiet.id)
    elsewhere = images.quiet("10.8.8.8", 8443)
    elsewhere.load(client)
    assert "of the command that it runs" in refusal(client, elsewhere.id)
    create(client, "alpine-like/base:1")


def test_running_containers_of_kin_are_told_when_the_verdict_falls(
    protected: Protection, client: docker.DockerClient
) -> None:
    parts = kit("sleeper")
    lines = ("FROM alpine-like/base:1", "COPY opt /opt", 'CMD ["sleep", "600"]')
    first = build(client, "evil/sleeper:1", parts, *lines)
    second = build(client, "evil/sleeper:2", parts | {"opt/more": secrets.token_bytes(99)}, *lines)
    running = create(client, second)
    client.containers.get(running).start()
    wait_for(lambda: running in protected.run("containers", "-f", "json"))
    protected.run("condemn", first, "--reason", "beacons")
    alert = wait_for(
        lambda: next((a for a in protected.alerts() if a["rule"] == "image.kin" and a["container"] == running), None)
    )
    assert "evil/sleeper:1" in alert["evidence"]["condemned"]
    protected.run("pardon", second)
    client.containers.get(running).remove(force=True)
    create(client, second)  # a person vouches for it


def test_new_version_of_a_listed_image_is_under_its_entry(protected: Protection, client: docker.DockerClient) -> None:
    new = build(
        client,
        "shop/checkout:2",
        {"etc/checkout.conf": b"retries = 3\ntimeout = 20\n"},
        "FROM shop/checkout:1",
        "COPY etc /etc",
    )
    redis = client.containers.get(create(client, "shop/redis:1"))
    redis.start()
    redis.reload()
    address = redis.attrs["NetworkSettings"]["IPAddress"]
    heir = client.containers.get(create(client, new, address, "6379", address, "6379"))
    heir.start()
    assert str(wait_for(lambda: _policy_of(protected, str(heir.id)))).startswith("inherited from shop/checkout (share ")
    answer = heir.exec_run(["probe", "tcp", address, "6379", "INCR orders\r\n"])
    assert answer.exit_code == 0, answer.output

    assert "family.inherited" in protected.run("decisions")
    protected.stop()
    protected.start()
    answer = heir.exec_run(["probe", "tcp", address, "6379", "INCR orders\r\n"])
    assert answer.exit_code == 0, answer.output  # from its first packet on, also after a restart of the agent

    stranger = build(
        client,
        "shop/other:1",
        {"opt/x": b"#!/bin/sh\nexec sleep 600\n"},
        "FROM shop/checkout:1",
        "COPY opt /opt",
        'ENTRYPOINT ["/opt/x"]',
    )
    other = client.containers.get(create(client, stranger))
    other.start()
    assert wait_for(lambda: _policy_of(protected, str(other.id))) == "unlisted"
    assert other.exec_run(["probe", "tcp", address, "6379", "INCR orders\r\n"]).exit_code == 1


def _policy_of(protected: Protection, container: str) -> str | None:
    records = msgspec.json.decode(protected.run("containers", "-f", "json"))
    return next((record["policy"] for record in records if record["id"] == container), None)

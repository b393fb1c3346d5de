import docker
import pytest

from testbed import images
from testbed.engine import ThrowAwayEngine


def test_engine_has_the_cgroup_version_that_was_asked_for(engine: ThrowAwayEngine, client: docker.DockerClient) -> None:
    assert client.info()["CgroupVersion"] == {"hybrid": "1", "v2": "2"}[engine.cgroups]


def test_containers_live_below_the_cgroup_parent(engine: ThrowAwayEngine, client: docker.DockerClient) -> None:
    from pathlib import Path

    container = client.containers.run("alpine-like/base:1", ["sleep", "60"], detach=True)
    container.reload()
    unified = Path(f"/proc/{container.attrs['State']['Pid']}/cgroup").read_text().splitlines()[-1]
    assert unified == f"0::{engine.cgroup_parent}/{container.id}"


def test_api_answers_without_authentication_on_loopback(engine: ThrowAwayEngine) -> None:
    client = engine.client(tcp=True)
    assert client.ping()
    client.close()


@pytest.mark.parametrize("image", [images.base, images.redis])
def test_image_id_is_known_before_the_engine_sees_the_image(client: docker.DockerClient, image: object) -> None:
    assert callable(image)
    made = image()
    assert client.images.get(made.reference).id == made.id

"""Which files of its image a container opens, on a real kernel."""

from docker.models.containers import Container

from pratique.model import OpenedEvent
from tests.integration.sensor.watched import Watched, does, put, result


def opened(watched: Watched, container: Container) -> list[str]:
    """What the sensor tells now of one container, in order."""
    return [
        event.path
        for event in watched.events()
        if isinstance(event, OpenedEvent) and watched.sensor.container_of(event.cgroup) == container.id
    ]


def test_a_file_of_the_image_is_told_once_for_each_container(watched: Watched, container: Container) -> None:
    assert watched.sensor.features["opened"] == "live"
    does(container, "cat /etc/os-release; cat /etc/os-release; cat /etc/os-release")
    assert opened(watched, container).count("/etc/os-release") == 1
    does(container, "cat /etc/os-release")
    assert opened(watched, container) == []
    other = watched.start()
    does(other, "cat /etc/os-release")
    assert "/etc/os-release" in opened(watched, other)


def test_programs_and_what_they_map_are_told(watched: Watched, container: Container) -> None:
    assert result(container, "/dynamic") == 0
    paths = opened(watched, container)
    assert "/dynamic" in paths
    assert "/lib/x86_64-linux-gnu/libc.so.6" in paths


def test_links_are_told_by_what_they_lead_to(watched: Watched, container: Container) -> None:
    does(container, "ln -s /etc/os-release /tmp/link; cat /tmp/link")
    assert "/etc/os-release" in opened(watched, container)


def test_what_is_not_of_the_image_is_not_told(watched: Watched, container: Container) -> None:
    does(
        container,
        "echo x > /tmp/x; cat /tmp/x /proc/self/status /dev/null; cp /etc/passwd /tmp/y; echo z >> /etc/passwd",
    )
    put(container, "/tmp/brought", b"#!/bin/sh\n")
    does(container, "cat /tmp/brought")
    opened(watched, container)
    does(container, "cat /etc/passwd /tmp/y /tmp/x /tmp/brought")
    assert opened(watched, container) == []


def test_what_the_engine_opens_while_it_prepares_is_not_told(watched: Watched) -> None:
    container = watched.start()
    paths = opened(watched, container)
    assert not [path for path in paths if "runc" in path or path.startswith(("/proc", "/sys", "…"))]
    assert "/bin/busybox" in paths


def test_a_flood_of_opens_loses_nothing_that_is_opened_again(watched: Watched, container: Container) -> None:
    does(container, "i=0; while [ $i -lt 300 ]; do cat /etc/os-release /etc/passwd >/dev/null; i=$((i+1)); done")
    assert sorted(path for path in opened(watched, container) if path.startswith("/etc/os")) == ["/etc/os-release"]
    assert "opened/opened" not in watched.sensor.losses()

"""What a container's successor is asked to be, from what the engine tells of the container."""

from typing import Any

import pytest

from pratique.model import SwapMode
from pratique.responders import PLAN_LABEL, choose_mode, creation, why_not

OLD_ID = "ab" * 32
VOLUME = "cd" * 32
IMAGE: dict[str, Any] = {
    "Config": {
        "Env": ["PATH=/bin", "VERSION=1"],
        "Entrypoint": ["/app"],
        "Cmd": ["serve"],
        "User": "app",
        "WorkingDir": "/app",
        "Labels": {"maintainer": "us", "tier": "web"},
        "ExposedPorts": {"80/tcp": {}},
        "Volumes": {"/data": {}},
        "Healthcheck": {"Test": ["CMD", "/check"]},
        "StopSignal": "SIGINT",
    }
}


def container(**changes: Any) -> dict[str, Any]:
    config = {
        **IMAGE["Config"],
        "Hostname": OLD_ID[:12],
        "Image": "shop/web:1",
        "Env": ["PATH=/bin", "VERSION=1", "TOKEN=x"],
        "Labels": {"maintainer": "us", "tier": "changed", "com.docker.compose.image": "sha256:old"},
        **changes.get("Config", {}),
    }
    host = {"NetworkMode": "shop", "CgroupnsMode": "host", "RestartPolicy": {"Name": "always"}}
    return {
        "Id": OLD_ID,
        "Name": "/web-1",
        "State": {"Running": True},
        "Config": config,
        "HostConfig": {**host, **changes.get("HostConfig", {})},
        "Mounts": changes.get("Mounts", []),
        "NetworkSettings": {
            "Networks": changes.get(
                "Networks",
                {"shop": {"IPAMConfig": None, "Aliases": ["web", OLD_ID[:12]], "IPAddress": "10.0.0.5"}},
            )
        },
    }


def body(**changes: Any) -> dict[str, Any]:
    made = creation(container(**changes), IMAGE, "sha256:new", "shop/web:2", {PLAN_LABEL: "p"}, cgroups="1")
    return made.body


def test_what_the_old_image_brought_along_is_left_to_the_new_one() -> None:
    made = body()
    assert made["Image"] == "shop/web:2"
    assert made["Env"] == ["TOKEN=x"]
    assert made["ExposedPorts"] == {}
    assert made["Volumes"] == {}
    assert not {"Cmd", "Entrypoint", "User", "WorkingDir", "Healthcheck", "StopSignal", "Hostname"} & made.keys()


def test_what_somebody_asked_for_stays() -> None:
    made = body(Config={"Cmd": ["serve", "--fast"], "User": "root", "Hostname": "shop", "StopTimeout": 3, "Tty": True})
    assert made["Cmd"] == ["serve", "--fast"]
    assert "Entrypoint" not in made
    assert (made["User"], made["Hostname"], made["StopTimeout"], made["Tty"]) == ("root", "shop", 3, True)
    assert made["HostConfig"]["RestartPolicy"] == {"Name": "always"}


def test_command_that_fits_only_its_own_entrypoint_stays_with_it() -> None:
    made = body(Config={"Entrypoint": ["/other"], "Cmd": ["serve"]})
    assert (made["Entrypoint"], made["Cmd"]) == (["/other"], ["serve"])


def test_labels_are_the_containers_own_and_those_of_the_plan() -> None:
    assert body()["Labels"] == {"tier": "changed", "com.docker.compose.image": "sha256:new", PLAN_LABEL: "p"}


def test_what_the_engine_filled_in_is_not_asked_for() -> None:
    assert "CgroupnsMode" not in body()["HostConfig"]
    asked = creation(container(), IMAGE, "sha256:new", "shop/web:2", {}, cgroups="2").body
    assert asked["HostConfig"]["CgroupnsMode"] == "host"


def test_anonymous_volumes_are_kept_and_named_ones_are_not_repeated() -> None:
    mounts = [
        {"Type": "volume", "Name": VOLUME, "Destination": "/data", "RW": True},
        {"Type": "volume", "Name": "logs", "Destination": "/logs", "RW": True},
        {"Type": "bind", "Source": "/srv", "Destination": "/srv", "RW": False},
    ]
    host = body(Mounts=mounts, HostConfig={"Binds": ["logs:/logs", "/srv:/srv:ro"]})["HostConfig"]
    assert host["Mounts"] == [{"Type": "volume", "Source": VOLUME, "Target": "/data", "ReadOnly": False}]
    assert host["Binds"] == ["logs:/logs", "/srv:/srv:ro"]


def test_links_are_asked_for_as_they_were() -> None:
    assert body(HostConfig={"Links": ["/redis:/web-1/cache"]})["HostConfig"]["Links"] == ["redis:cache"]


def test_names_of_each_network_are_the_old_ones_and_its_own_name() -> None:
    networks = {
        "shop": {"IPAMConfig": {"IPv4Address": "10.0.0.5"}, "Aliases": ["web", OLD_ID[:12]], "IPAddress": "10.0.0.5"},
        "back": {"IPAMConfig": None, "Links": ["a:b"], "Aliases": None, "MacAddress": "02:42:0a:00:00:05"},
    }
    made = creation(container(Networks=networks), IMAGE, "sha256:new", "x", {}, cgroups="1").networks
    assert made == {
        "shop": {"IPAMConfig": {"IPv4Address": "10.0.0.5"}, "Aliases": ["web", "web-1"]},
        "back": {"Links": ["a:b"], "Aliases": ["web-1"]},
    }


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"HostConfig": {"PortBindings": {"80/tcp": [{"HostPort": "80"}]}}}, "publishes 80/tcp"),
        ({"HostConfig": {"NetworkMode": "host"}}, "is on the host's network"),
        ({"Networks": {"shop": {"IPAMConfig": {"IPv4Address": "10.0.0.5"}}}}, "has an address of its own in shop"),
        ({"Config": {"MacAddress": "02:42:0a:00:00:05"}}, "has a hardware address of its own"),
        ({"Mounts": [{"Type": "volume", "Destination": "/data", "RW": True}]}, "writes to /data"),
        ({"HostConfig": {"Devices": [{"PathOnHost": "/dev/fuse"}]}}, "uses devices"),
    ],
)
def test_what_only_one_can_have_makes_them_change_places_in_turn(changes: dict[str, Any], why: str) -> None:
    assert choose_mode(container(**changes)) == (SwapMode.IN_TURN, why)


def test_what_may_be_shared_does_not() -> None:
    mounts = [
        {"Type": "bind", "Source": "/srv", "Destination": "/srv", "RW": False},
        {"Type": "tmpfs", "Destination": "/run", "RW": True},
    ]
    assert choose_mode(container(Mounts=mounts)) == (SwapMode.BESIDE, "")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"HostConfig": {"AutoRemove": True}}, "was started with --rm"),
        ({"HostConfig": {"NetworkMode": "container:abc"}}, "shares a namespace"),
    ],
)
def test_what_a_plan_must_leave_alone(changes: dict[str, Any], why: str) -> None:
    assert why_not(container(**changes)).startswith(why)
    assert why_not(container()) == ""
    assert why_not({**container(), "State": {"Running": False}}) == "does not run"

"""Settings of containers that reach the host: rows C1 to C13 of the bypass table and the dangerous fields."""

from pathlib import Path
from typing import Any

import pytest

from pratique.guard.container import Facts, Violation, violations
from pratique.guard.paths import PathKind, classify
from pratique.guard.settings import HostConfig
from pratique.policy import Permit
from tests.unit.guard.asking import BAD, World, rule

FORBIDDEN: list[tuple[dict[str, Any], str, Permit]] = [
    ({"Privileged": True}, "create.privileged", Permit.PRIVILEGED),
    ({"NetworkMode": "host"}, "create.host-network", Permit.HOST_NETWORK),
    ({"PidMode": "host"}, "create.host-pid", Permit.HOST_PID),
    ({"IpcMode": "host"}, "create.host-ipc", Permit.HOST_IPC),
    ({"UTSMode": "host"}, "create.host-uts", Permit.HOST_UTS),
    ({"UsernsMode": "host"}, "create.host-userns", Permit.HOST_USERNS),
    ({"CgroupnsMode": "host"}, "create.host-cgroupns", Permit.HOST_CGROUPNS),
    ({"CgroupParent": "/"}, "create.cgroup-parent", Permit.CGROUP_PARENT),
    ({"CgroupParent": "/../../x"}, "create.cgroup-parent", Permit.CGROUP_PARENT),
    ({"Cgroup": "container:x"}, "create.cgroup-parent", Permit.CGROUP_PARENT),
    ({"Devices": [{"PathOnHost": "/dev/vda", "PathInContainer": "/d"}]}, "create.devices", Permit.DEVICES),
    ({"DeviceCgroupRules": ["b *:* rwm"]}, "create.devices", Permit.DEVICES),
    ({"DeviceRequests": [{"Driver": "cdi", "DeviceIDs": ["x/y=z"]}]}, "create.devices", Permit.DEVICES),
    ({"CapAdd": ["SYS_ADMIN"]}, "create.capabilities", Permit.CAPABILITIES),
    ({"CapAdd": ["cap_sys_admin"]}, "create.capabilities", Permit.CAPABILITIES),
    ({"CapAdd": ["Cap_Net_Admin", "CHOWN"]}, "create.capabilities", Permit.CAPABILITIES),
    ({"CapAdd": ["all"]}, "create.capabilities", Permit.CAPABILITIES),
    ({"CapAdd": "ALL"}, "create.capabilities", Permit.CAPABILITIES),
    ({"SecurityOpt": ["seccomp=unconfined"]}, "create.unconfined", Permit.UNCONFINED),
    ({"SecurityOpt": ["seccomp:unconfined"]}, "create.unconfined", Permit.UNCONFINED),
    ({"SecurityOpt": ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}']}, "create.unconfined", Permit.UNCONFINED),
    ({"SecurityOpt": ["apparmor=unconfined"]}, "create.unconfined", Permit.UNCONFINED),
    ({"SecurityOpt": ["apparmor=mine"]}, "create.unconfined", Permit.UNCONFINED),
    ({"SecurityOpt": ["label=disable"]}, "create.unconfined", Permit.UNCONFINED),
    ({"SecurityOpt": ["label:type:spc_t"]}, "create.unconfined", Permit.UNCONFINED),
    ({"SecurityOpt": ["systempaths=unconfined"]}, "create.unconfined", Permit.UNCONFINED),
    ({"SecurityOpt": ["writable-cgroups=true"]}, "create.unconfined", Permit.UNCONFINED),
    ({"MaskedPaths": []}, "create.unmasked", Permit.UNCONFINED),
    ({"MaskedPaths": ["/proc/kcore"]}, "create.unmasked", Permit.UNCONFINED),
    ({"ReadonlyPaths": []}, "create.unmasked", Permit.UNCONFINED),
    ({"Sysctls": {"kernel.msgmax": "1"}}, "create.sysctls", Permit.SYSCTLS),
    ({"Runtime": "evil"}, "create.runtime", Permit.DRIVERS),
    ({"Annotations": {"org.systemd.property.X": "1"}}, "create.runtime", Permit.DRIVERS),
    ({"LogConfig": {"Type": "syslog", "Config": {"syslog-address": "unix:///x"}}}, "create.log-driver", Permit.DRIVERS),
    ({"VolumeDriver": "evil"}, "create.volume-driver", Permit.DRIVERS),
    ({"Binds": ["/srv:/s"]}, "create.host-path", Permit.HOST_PATHS),
    ({"Binds": ["/:/h"]}, "create.sensitive-path", Permit.SENSITIVE_PATHS),
    ({"Binds": ["/etc:/h:ro"]}, "create.sensitive-path", Permit.SENSITIVE_PATHS),
    ({"Binds": ["/srv/../etc:/h"]}, "create.sensitive-path", Permit.SENSITIVE_PATHS),
    ({"Binds": ["//etc//:/h"]}, "create.sensitive-path", Permit.SENSITIVE_PATHS),
    ({"Binds": ["/proc/self/root/srv:/h"]}, "create.sensitive-path", Permit.SENSITIVE_PATHS),
    ({"Binds": ["/var/run/docker.sock:/s"]}, "create.engine-socket", Permit.ENGINE_SOCKET),
    ({"Binds": ["/run/containerd/containerd.sock:/s"]}, "create.engine-socket", Permit.ENGINE_SOCKET),
    ({"Mounts": [{"Type": "bind", "Source": "/", "Target": "/h"}]}, "create.sensitive-path", Permit.SENSITIVE_PATHS),
    (
        {"Mounts": [{"type": "bind", "source": "/run/docker.sock", "target": "/h"}]},
        "create.engine-socket",
        Permit.ENGINE_SOCKET,
    ),
    ({"Binds": ["data:/d:rshared"]}, "create.propagation", Permit.SENSITIVE_PATHS),
    (
        {"Mounts": [{"Type": "volume", "Source": "v", "Target": "/d", "BindOptions": {"Propagation": "shared"}}]},
        "create.propagation",
        Permit.SENSITIVE_PATHS,
    ),
]

ALSO_AT_START = [row for row in FORBIDDEN if row[1] != "create.host-cgroupns" and "'type'" not in str(row[0])]
"""Engines on cgroup v1 fill in the host's cgroup namespace themselves, and ``inspect`` has one spelling of a field."""


@pytest.mark.parametrize(("settings", "refusal", "permit"), FORBIDDEN, ids=lambda value: str(value)[:60])
def test_a_setting_that_reaches_the_host_needs_the_permit_of_its_image(
    world: World, settings: dict[str, Any], refusal: str, permit: Permit
) -> None:
    decision = world.create(settings)
    assert rule(decision) == refusal
    assert f"permit: [{permit}]" in decision.reason
    world.permit(*(other for other in Permit if other is not permit))
    assert rule(world.create(settings)) == refusal
    world.permit(permit)
    assert rule(world.create(settings)) == "allow"


@pytest.mark.parametrize(("settings", "refusal", "permit"), ALSO_AT_START, ids=lambda value: str(value)[:60])
def test_the_same_setting_is_refused_at_start(
    world: World, settings: dict[str, Any], refusal: str, permit: Permit
) -> None:
    """C12: containers that were there before the guard, or that were made behind its back."""
    world.container("old", **settings)
    assert rule(world.ask("POST", "/v1.41/containers/old/start")) == refusal
    assert rule(world.ask("POST", "/v1.41/containers/old/restart")) == refusal
    assert world.admitted == []
    world.permit(permit)
    assert rule(world.ask("POST", "/v1.41/containers/old/start")) == "allow"


@pytest.mark.parametrize(
    "settings",
    [
        None,
        {},
        {"NetworkMode": "bridge", "PidMode": "", "IpcMode": "private", "RestartPolicy": {"Name": "always"}},
        {"NetworkMode": "none", "CapDrop": ["ALL"], "CapAdd": ["cap_chown", "NET_BIND_SERVICE"]},
        {"SecurityOpt": ["no-new-privileges", "no-new-privileges:true", "apparmor=docker-default"]},
        {"Binds": ["data:/d", "other:/e:ro"], "VolumeDriver": "local", "Tmpfs": {"/t": "size=1m"}},
        {"Mounts": [{"Type": "volume", "Source": "data", "Target": "/d"}, {"Type": "tmpfs", "Target": "/t"}]},
        {"Memory": 5, "PidsLimit": 10, "PortBindings": {"80/tcp": [{"HostPort": "80"}]}, "ConsoleSize": [1, 2]},
        {"Runtime": "runc", "LogConfig": {"Type": "json-file", "Config": {}}},
        {"MaskedPaths": None, "ReadonlyPaths": None},
    ],
)
def test_ordinary_settings_are_allowed(world: World, settings: Any) -> None:
    assert rule(world.create(settings)) == "allow"


def test_a_container_without_an_image_is_refused(world: World) -> None:
    """C1."""
    assert rule(world.ask("POST", "/v1.41/containers/create", {"Image": ""})) == "create.no-image"
    assert rule(world.ask("POST", "/v1.41/containers/create", {"Cmd": ["x"]})) == "create.no-image"
    world.container("none", image="")
    assert rule(world.ask("POST", "/v1.41/containers/none/start")) == "create.no-image"


@pytest.mark.parametrize("name", ["../x", "a b", "a\u0000", "/etc", "a//b/../c", "x" * 2000, "a?b", "a%2fb"])
def test_an_image_name_that_is_none_is_refused(world: World, name: str) -> None:
    assert rule(world.ask("POST", "/v1.41/containers/create", {"Image": name})) == "create.image-name"


def test_the_engine_says_what_a_name_with_a_digest_is(world: World) -> None:
    """C3 and C5: the tag in front of a digest, or a trusted tag on a bad image, means nothing."""
    world.images |= {"trusted:1@" + BAD: BAD, "trusted/app:1": BAD}
    for name in ("trusted:1@" + BAD, "trusted/app:1"):
        assert rule(world.ask("POST", "/v1.41/containers/create", {"Image": name})) == "start.report"


def test_a_tag_that_moved_after_create_is_seen_at_start(world: World) -> None:
    """C4."""
    world.container("moved", image=BAD)
    assert rule(world.ask("POST", "/v1.41/containers/moved/start")) == "start.report"


def test_a_symbolic_link_to_a_sensitive_path_is_followed(world: World, tmp_path: Path) -> None:
    """C6."""
    (tmp_path / "harmless").symlink_to("/etc")
    (tmp_path / "chain").symlink_to(tmp_path / "harmless")
    (tmp_path / "docker.sock").touch()
    (tmp_path / "sock").symlink_to(tmp_path / "docker.sock")
    world.permit(Permit.HOST_PATHS)
    assert rule(world.create({"Binds": [f"{tmp_path}/chain:/h"]})) == "create.sensitive-path"
    assert rule(world.create({"Binds": [f"{tmp_path}/chain/passwd:/h"]})) == "create.sensitive-path"
    assert rule(world.create({"Binds": [f"{tmp_path}/sock:/h"]})) == "create.engine-socket"
    assert rule(world.create({"Binds": [f"{tmp_path}:/h"]})) == "allow"


def test_a_link_that_was_bent_after_create_is_seen_at_start(world: World, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to("/srv")
    world.permit(Permit.HOST_PATHS)
    world.container("bent", Binds=[f"{tmp_path}/data:/d"])
    assert rule(world.ask("POST", "/v1.41/containers/bent/start")) == "allow"
    (tmp_path / "data").unlink()
    (tmp_path / "data").symlink_to("/etc")
    assert rule(world.ask("POST", "/v1.41/containers/bent/start")) == "create.sensitive-path"


def test_a_host_path_that_is_missing_is_not_made_by_the_engine(world: World, tmp_path: Path) -> None:
    """C7."""
    world.permit(Permit.HOST_PATHS)
    assert rule(world.create({"Binds": [f"{tmp_path}/none:/h"]})) == "create.missing-path"


@pytest.mark.parametrize(
    ("volume", "refusal"),
    [
        ({"Driver": "local", "Options": {"type": "none", "o": "bind", "device": "/etc"}}, "create.sensitive-path"),
        ({"Driver": "local", "Options": {"o": "rbind,ro", "device": "/srv"}}, "create.host-path"),
        ({"Driver": "local", "Options": {"type": "tmpfs", "o": "bind", "device": "/etc"}}, "create.sensitive-path"),
        ({"Driver": "local", "Options": {"type": "tmpfs", "o": "rbind", "device": "etc"}}, "create.volume-options"),
        ({"Driver": "local", "Options": {"type": "proc", "device": "proc"}}, "create.volume-options"),
        ({"Driver": "local", "Options": {"type": "nfs", "o": "addr=h", "device": ":/x"}}, "create.volume-options"),
        ({"Driver": "local", "Options": {"type": "ext4", "device": "/dev/vda"}}, "create.volume-options"),
        (
            {"Driver": "local", "Options": {"type": "overlay", "o": "lowerdir=/etc", "device": "overlay"}},
            "create.volume-options",
        ),
        ({"Driver": "evil", "Options": None}, "create.volume-driver"),
    ],
)
def test_a_volume_is_what_its_options_say(world: World, volume: dict[str, Any], refusal: str) -> None:
    """C8: made before and named, given inline, and found at start."""
    world.volumes["v"] = volume
    assert rule(world.create({"Binds": ["v:/d"]})) == refusal
    assert rule(world.create({"Mounts": [{"Type": "volume", "Source": "v", "Target": "/d"}]})) == refusal
    inline = {"DriverConfig": {"Name": volume["Driver"], "Options": volume["Options"]}}
    asked = {"Mounts": [{"Type": "volume", "Source": "new", "Target": "/d", "VolumeOptions": inline}]}
    assert rule(world.create(asked)) == refusal
    world.container("old", mounts=[{"Type": "volume", "Name": "v", "Source": "/x/_data", "Driver": volume["Driver"]}])
    assert rule(world.ask("POST", "/v1.41/containers/old/start")) == refusal


def test_a_volume_in_memory_is_allowed(world: World) -> None:
    world.volumes["v"] = {"Driver": "local", "Options": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m"}}
    assert rule(world.create({"Binds": ["v:/d"]})) == "allow"


@pytest.mark.parametrize(
    "settings",
    [
        {"VolumesFrom": ["first:ro"]},
        {"NetworkMode": "container:first"},
        {"PidMode": "container:first"},
        {"IpcMode": "container:first"},
    ],
)
def test_what_a_joined_container_has_counts_as_asked_for(world: World, settings: dict[str, Any]) -> None:
    """C9, through a chain of two."""
    world.container("second", Binds=["/etc:/h"])
    world.container("first", VolumesFrom=["second"])
    decision = world.create(settings)
    assert rule(decision) == "create.sensitive-path"
    assert "second" in decision.reason
    world.permit(Permit.SENSITIVE_PATHS)
    assert rule(world.create(settings)) == "allow"


def test_containers_that_join_each_other_end(world: World) -> None:
    world.container("first", PidMode="container:second")
    world.container("second", PidMode="container:first")
    assert rule(world.create({"PidMode": "container:first"})) == "allow"


def test_too_long_a_chain_of_containers_is_refused(world: World) -> None:
    for number in range(50):
        world.container(f"c{number}", PidMode=f"container:c{number + 1}")
    assert rule(world.create({"PidMode": "container:c0"})) == "create.joined-container"


def test_a_flood_of_mounts_is_refused(world: World) -> None:
    assert rule(world.create({"Binds": [f"v{number}:/d{number}" for number in range(300)]})) == "request.body"
    assert rule(world.create({"Binds": [f"/srv/{number}:/d{number}" for number in range(300)]})) == "request.body"


def test_an_unknown_container_cannot_be_joined(world: World) -> None:
    for settings in ({"PidMode": "container:ghost"}, {"VolumesFrom": ["ghost"]}):
        assert rule(world.create(settings)) == "create.joined-container"
    world.container("web", PidMode="container:ghost")
    assert rule(world.ask("POST", "/v1.41/containers/web/start")) == "create.joined-container"


def test_a_container_starts_when_the_giver_of_its_volumes_is_gone(world: World) -> None:
    given = {"Type": "bind", "Source": "/srv", "Destination": "/d"}
    world.container("web", VolumesFrom=["ghost"])
    assert rule(world.ask("POST", "/v1.41/containers/web/start")) == "allow"
    world.container("web", VolumesFrom=["ghost"], mounts=[given])
    assert rule(world.ask("POST", "/v1.41/containers/web/start")) == "create.host-path"


@pytest.mark.parametrize("kind", ["image", "cluster", "npipe", "", "BIND"])
def test_mounts_of_other_types_are_refused(world: World, kind: str) -> None:
    mount = {"Type": kind, "Source": "good:1", "Target": "/x"}
    assert rule(world.create({"Mounts": [mount]})) == "create.mount-type"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", PathKind.SENSITIVE),
        ("/var", PathKind.SENSITIVE),
        ("/var/lib", PathKind.SENSITIVE),
        ("/var/lib/docker/volumes/x", PathKind.SENSITIVE),
        ("/var/lib/mysql", PathKind.PLAIN),
        ("/etcetera", PathKind.PLAIN),
        ("/home", PathKind.SENSITIVE),
        ("/home/ann/site", PathKind.PLAIN),
        ("/home/ann/.ssh/id_rsa", PathKind.SENSITIVE),
        ("/data/docker.sock", PathKind.ENGINE_SOCKET),
        ("/mnt/engine/x", PathKind.SENSITIVE),
        ("/mnt", PathKind.SENSITIVE),
    ],
)
def test_paths_are_compared_by_their_parts(path: str, kind: PathKind) -> None:
    assert classify(path, also=("/mnt/engine",)) is kind


def test_all_that_is_wrong_is_found() -> None:
    found = list(violations(HostConfig(privileged=True, network_mode="host", binds=("/etc:/e",)), Facts()))
    assert [violation.rule for violation in found] == [
        "create.privileged",
        "create.host-network",
        "create.sensitive-path",
    ]
    assert all(isinstance(violation, Violation) for violation in found)

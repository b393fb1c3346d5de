"""What runs in a container and what does not, door by door. The dropped program's first act is to leave a mark."""

import pytest
from docker.models.containers import Container

from pratique.model import DriftMode, ExecFlag
from pratique.sensor import Sensor
from testbed import images
from testbed.engine import ThrowAwayEngine
from tests.integration.sensor.watched import (
    ACTS,
    Watched,
    does,
    marks,
    put,
    result,
    wait_until,
)

KILLED = 137


def test_every_needed_feature_is_live(sensor: Sensor) -> None:
    assert {name: sensor.features[name] for name in ("process", "packet-socket", "packet-link")} == {
        "process": "live",
        "packet-socket": "live",
        "packet-link": "live",
    }


def test_file_of_the_image_runs_and_is_told(watched: Watched, container: Container) -> None:
    assert result(container, "/marker", "/out/honest") == 0
    assert marks(container) == {"honest"}
    event = next(event for event in watched.executions() if event.filename == "/marker")
    assert event.flags == ExecFlag.LOWER
    assert event.arguments == ("/marker", "/out/honest")
    assert (event.command, event.uid) == ("marker", 0)
    assert watched.sensor.container_of(event.cgroup) == container.id


def test_dropped_program_never_runs_in_500_tries(watched: Watched, container: Container) -> None:
    does(container, "cp /marker /tmp/dropped")
    loop = "i=0; while [ $i -lt 500 ]; do /tmp/dropped /out/$i; echo $?; i=$((i+1)); done 2>/dev/null"
    codes = does(container, loop).split()
    assert codes == [str(KILLED)] * 500
    assert marks(container) == set()
    told = [event for event in watched.executions() if event.filename == "/tmp/dropped"]
    assert len(told) == 500
    assert {event.flags for event in told} == {ExecFlag.UPPER | ExecFlag.KILLED}


def test_dropped_program_runs_and_is_told_where_the_policy_only_alerts(watched: Watched, container: Container) -> None:
    watched.enforce(drift=DriftMode.ALERT)
    does(container, "cp /marker /tmp/dropped; /tmp/dropped /out/mark")
    assert marks(container) == {"mark"}
    assert ExecFlag.UPPER in {event.flags for event in watched.executions() if event.filename == "/tmp/dropped"}


NEW = ExecFlag.UPPER
COPIED_UP = ExecFlag.UPPER | ExecFlag.LOWER
MEMORY = ExecFlag.MEMFD | ExecFlag.DELETED | ExecFlag.NOT_OVERLAY
DROPS = {
    "renamed over a file of the image": ("cp /marker /tmp/x; mv /tmp/x /copied; /copied /out/mark", NEW),
    "image file with bytes appended": ("echo >> /copied; /copied /out/mark", COPIED_UP | ExecFlag.MODIFIED),
    "image file written in place, size and time forged": (
        "/acts forge /copied /marker; /copied /out/mark",
        COPIED_UP,
    ),
    "image file with another mode": ("chmod 700 /copied; /copied /out/mark", COPIED_UP),
    "image file under a new name": ("mv /copied /renamed; /renamed /out/mark", COPIED_UP),
    "hard link to a file of the image": ("ln /copied /linked; /linked /out/mark", COPIED_UP),
    "symbolic link to a dropped file": ("cp /marker /tmp/x; ln -s /tmp/x /l; /l /out/mark", NEW),
    "memory": ("/acts memory /marker /out/mark", MEMORY),
    "memory by /proc/self/fd": ("/acts memory-by-path /marker /out/mark", MEMORY),
    "deleted file": ("cp /marker /tmp/x; /acts deleted /tmp/x /out/mark", NEW | ExecFlag.DELETED),
    "handle without name": ("cp /marker /tmp/x; /acts handle /tmp/x /out/mark", NEW),
    "another root": (
        "mkdir -p /tmp/r/out; cp /marker /tmp/r/x; /acts root /tmp/r /x /out/mark; cp /tmp/r/out/* /out",
        NEW,
    ),
    "another root on a volume": (
        "mkdir /volume/out; cp /marker /volume/x; /acts root /volume /x /out/mark; cp /volume/out/* /out",
        ExecFlag.NOT_OVERLAY,
    ),
    "tmpfs": ("cp /marker /ram/x; /ram/x /out/mark", ExecFlag.NOT_OVERLAY),
    "volume": ("cp /marker /volume/x; /volume/x /out/mark", ExecFlag.NOT_OVERLAY),
    "script": ("cp /script /tmp/s; /tmp/s /out/mark", NEW | ExecFlag.SCRIPT),
    "script by a relative path": ("cp /script /tmp/s; cd /tmp; ./s /out/mark", NEW | ExecFlag.SCRIPT),
    "script by a symbolic link": ("cp /script /tmp/s; ln -s /tmp/s /l; /l /out/mark", NEW | ExecFlag.SCRIPT),
    "script whose interpreter is a script": (
        "echo '#!/tmp/s' > /tmp/t; cp /script /tmp/s; echo ': > /out/mark' >> /tmp/s; chmod +x /tmp/t; /tmp/t",
        NEW | ExecFlag.SCRIPT,
    ),
    "flat library made executable afterwards": (
        "cp /library.bin /tmp/l; /acts protect /tmp/l /out/mark",
        NEW | ExecFlag.LIBRARY,
    ),
    "flat library": ("cp /library.bin /tmp/l; /acts map /tmp/l /out/mark", NEW | ExecFlag.LIBRARY),
    "library named in LD_PRELOAD": ("cp /constructor.so /tmp/c; LD_PRELOAD=/tmp/c /bin/true", NEW | ExecFlag.LIBRARY),
    "library over one of the image": (
        "cp /constructor.so /tmp/c; mv /tmp/c /constructor.so; LD_PRELOAD=/constructor.so /bin/true",
        NEW | ExecFlag.LIBRARY,
    ),
    "program given to the dynamic loader": (
        "cp /dynamic /tmp/d; /lib64/ld-linux-x86-64.so.2 /tmp/d",
        NEW | ExecFlag.LIBRARY,
    ),
    "dynamic loader replaced": (
        "cp /marker /tmp/x; mv /tmp/x /lib64/ld-linux-x86-64.so.2; /bin/true /out/mark",
        NEW | ExecFlag.LIBRARY,
    ),
    "library below many directories": (
        "d=/tmp; while [ ${#d} -lt 400 ]; do d=$d/long; mkdir $d; done; cp /library.bin $d/l; /acts map $d/l /out/m",
        NEW | ExecFlag.LIBRARY,
    ),
}


def start_with_places(watched: Watched) -> Container:
    return watched.start(tmpfs={"/ram": "exec"}, volumes=["/volume"])


@pytest.mark.parametrize("what", DROPS)
def test_what_was_not_in_the_image_is_killed_before_its_first_act(watched: Watched, what: str) -> None:
    script, flags = DROPS[what]
    if (
        watched.engine.cgroups == "hybrid"
    ):  # that an act works at all has nothing to do with cgroups: seen once is enough
        watched.enforce(drift=DriftMode.ALERT)
        container = start_with_places(watched)
        does(container, script)
        assert marks(container)
    watched.enforce(drift=DriftMode.KILL)
    container = start_with_places(watched)
    watched.events()
    does(container, script)
    assert marks(container) == set()
    killed = [event for event in watched.executions() if ExecFlag.KILLED in event.flags]
    assert {event.flags for event in killed} == {flags | ExecFlag.KILLED}


UNCONFINED = {
    "overlay of the attacker's own": (
        "cd /ram; mkdir l u w m; cp /marker l/x;"
        " busybox mount -t overlay -o lowerdir=l,upperdir=u,workdir=w none m; m/x /out/mark"
    ),
    "read-only mount in a user namespace": (
        "cp /marker /ram/x; busybox unshare -Urm sh -c 'busybox mount --bind /ram /ram;"
        " busybox mount -o remount,bind,ro /ram; /ram/x /out/mark'"
    ),
    "library made executable by another system call": "cp /library.bin /tmp/l; /acts protect-by-key /tmp/l /out/mark",
    "library in a process whose reads are executable": "cp /library.bin /tmp/l; /acts map-readable /tmp/l /out/mark",
}


@pytest.mark.parametrize("what", UNCONFINED)
@pytest.mark.parametrize("drift", [DriftMode.ALERT, DriftMode.KILL])
def test_container_without_a_system_call_filter_is_no_better_off(watched: Watched, what: str, drift: DriftMode) -> None:
    container = watched.start(
        tmpfs={"/ram": "exec"}, cap_add=["SYS_ADMIN"], security_opt=["seccomp=unconfined", "apparmor=unconfined"]
    )
    watched.enforce(drift=drift)
    does(container, UNCONFINED[what])
    assert marks(container) == ({"mark"} if drift is DriftMode.ALERT else set())
    killed = {ExecFlag.KILLED in event.flags for event in watched.executions() if event.flags & ~ExecFlag.LOWER}
    assert killed == {drift is DriftMode.KILL}


def test_library_is_told_with_its_path_across_mounts(watched: Watched) -> None:
    container = start_with_places(watched)
    does(container, "mkdir /volume/a; cp /library.bin /volume/a/l; /acts map /volume/a/l /out/mark")
    libraries = [event.filename for event in watched.executions() if ExecFlag.LIBRARY in event.flags]
    assert libraries == ["/volume/a/l"]


def test_script_is_told_with_its_interpreter(watched: Watched, container: Container) -> None:
    does(container, "cp /script /tmp/s; /tmp/s /out/mark")
    event = next(event for event in watched.executions() if ExecFlag.KILLED in event.flags)
    assert (event.filename, event.interpreter) == ("/tmp/s", "/bin/sh")


def test_script_of_the_image_runs(container: Container) -> None:
    does(container, "/script /out/mark")
    assert marks(container) == {"mark"}


def test_dropped_script_read_by_an_interpreter_of_the_image_runs(container: Container) -> None:
    """The limit: ``sh file`` is no execution of the file, so there is no drift in it."""
    does(container, "cp /script /tmp/s; sh /tmp/s /out/mark")
    assert marks(container) == {"mark"}


def test_copied_in_from_outside_is_killed(container: Container) -> None:
    put(container, "/tmp/dropped", images.program("marker"))
    assert result(container, "/tmp/dropped", "/out/mark") == KILLED
    assert marks(container) == set()


def test_entrypoint_that_was_not_in_the_image_is_killed(watched: Watched) -> None:
    container = watched.client.containers.create(ACTS, ["/tmp/dropped", "/out/mark"])
    put(container, "/tmp/dropped", images.program("marker"))
    watched.events()
    container.start()
    assert container.wait()["StatusCode"] == KILLED
    assert container.diff() is None or "/out/mark" not in {change["Path"] for change in container.diff()}


def test_changed_metadata_may_run_where_the_policy_says_so(watched: Watched, container: Container) -> None:
    watched.enforce(changed_metadata=True)
    assert does(container, "chmod 700 /copied; /copied /out/mark; echo $?").split() == ["0"]
    assert marks(container) == {"mark"}


def test_changed_size_is_killed_even_where_metadata_may_change(watched: Watched, container: Container) -> None:
    watched.enforce(changed_metadata=True)
    does(container, "echo >> /copied; /copied /out/mark")
    assert marks(container) == set()


def test_read_only_mount_is_a_way_to_deploy(watched: Watched, engine: ThrowAwayEngine) -> None:
    host = engine.folder / "deployed"
    host.mkdir(exist_ok=True)
    (host / "tool").write_bytes(images.program("marker"))
    (host / "tool").chmod(0o755)
    read_only = watched.start(volumes={str(host): {"bind": "/deployed", "mode": "ro"}})
    writable = watched.start(volumes={str(host): {"bind": "/deployed", "mode": "rw"}})
    assert result(read_only, "/deployed/tool", "/out/mark") == 0
    assert result(writable, "/deployed/tool", "/out/mark") == KILLED


def test_engine_init_of_the_host_runs(watched: Watched) -> None:
    container = watched.start(init=True)
    assert result(container, "/marker", "/out/mark") == 0
    assert "/sbin/docker-init" in {event.filename for event in watched.executions()}


def test_program_of_the_image_may_run_itself_again(container: Container) -> None:
    assert result(container, "/acts", "handle", "/proc/self/exe", "handle", "/marker", "/out/mark") == 0
    assert marks(container) == {"mark"}


def test_restarted_container_is_still_watched(container: Container) -> None:
    does(container, "cp /marker /tmp/dropped")
    container.restart(timeout=0)
    assert result(container, "/marker", "/out/honest") == 0
    assert result(container, "/tmp/dropped", "/out/mark") == KILLED


def test_health_check_runs(watched: Watched) -> None:
    check = {"test": ["CMD", "/marker", "/out/healthy"], "interval": 1_000_000_000}
    container = watched.start(healthcheck=check)

    def is_healthy() -> bool:
        container.reload()
        return str(container.attrs["State"]["Health"]["Status"]) == "healthy"

    wait_until(is_healthy, "the health check")


def test_engine_enters_containers_undisturbed_a_hundred_times(watched: Watched, container: Container) -> None:
    """runc runs itself from memory or from a file of the host in the container's cgroup, depending on who is faster."""
    assert [result(container, "true") for _ in range(100)] == [0] * 100
    assert not [event for event in watched.executions() if ExecFlag.KILLED in event.flags]


@pytest.mark.parametrize("version", ["1", "2"], ids=["classic", "BuildKit"])
def test_build_step_may_run_what_an_earlier_step_made_but_not_its_own(watched: Watched, version: str) -> None:
    def fails(*steps: str) -> bool:
        dockerfile = "\n".join([f"FROM {ACTS}", *(f"RUN {step}" for step in steps)])
        answer = watched.client.api.post(
            f"{watched.client.api.base_url}/v1.41/build",
            params={"version": version, "nocache": "1"},
            data=images.archive({"Dockerfile": dockerfile.encode()}),
            headers={"Content-Type": "application/x-tar"},
        )
        return '"error"' in answer.text

    assert not fails("cp /marker /made", "/made /out/mark")
    watched.events()
    assert fails("cp /marker /made && /made /out/mark")
    killed = next(event for event in watched.executions() if ExecFlag.KILLED in event.flags)
    name = watched.sensor.container_of(killed.cgroup) or ""
    assert killed.filename == "/made"
    assert name.startswith("buildkit/") == (version == "2")

"""The life of the process feature: who was there before it, who outlives it, who may do what the engine does."""

import subprocess
from pathlib import Path

from docker.models.containers import Container

from pratique.model import DriftMode, EgressMode, ExecFlag, KernelPolicy
from pratique.sensor import Sensor
from tests.integration.sensor.watched import Watched, does, marks, network_of, parent_of, result

KILLED = 137
KILL = KernelPolicy(id=0, egress=EgressMode.LEARN, drift=DriftMode.KILL)


def cgroup_of(watched: Watched, container: Container) -> Path:
    return parent_of(watched.engine).path / str(container.id)


def test_container_that_was_there_before_the_sensor_is_watched(watched: Watched) -> None:
    watched.enforce(drift=DriftMode.ALERT)
    container = watched.start(volumes=["/volume"])
    does(container, "mkdir /volume/out; cp /marker /volume/x; cp /marker /tmp/x")
    with network_of(watched.engine.network.pid):
        late = Sensor.open([parent_of(watched.engine)], watched.engine.pin_dir.with_name("pratique-late"), [KILL], {})
    try:
        assert result(container, "/marker", "/out/honest") == 0
        assert result(container, "/tmp/x", "/out/upper") == KILLED
        does(container, "/acts root /volume /x /out/mark")
        assert does(container, "ls /volume/out") == ""
        assert marks(container) == {"honest"}
    finally:
        late.close(keep=False)


def test_enforcement_outlives_the_agent_and_is_adopted(watched: Watched, container: Container) -> None:
    watched.enforce(drift=DriftMode.ALERT)
    does(container, "cp /marker /tmp/x")
    pins = watched.engine.pin_dir.with_name("pratique-kept")
    with network_of(watched.engine.network.pid):
        Sensor.open([parent_of(watched.engine)], pins, [KILL], {}).close(keep=True)
        assert result(container, "/tmp/x", "/out/orphaned") == KILLED
        another = watched.start()
        adopted = Sensor.open([parent_of(watched.engine)], pins, [KILL], {})
    try:
        assert {adopted.features[name] for name in ("process", "packet-socket", "packet-link")} == {"live"}
        assert result(container, "/tmp/x", "/out/adopted") == KILLED
        assert marks(container) == set()
        assert result(another, "/marker", "/out/honest") == 0
    finally:
        adopted.close(keep=False)


def test_engine_may_run_its_own_files_in_the_cgroup_of_a_container(watched: Watched, container: Container) -> None:
    """What runc does, whoever is faster: its child is in the cgroup, still has the host's mounts, and executes runc."""
    cgroup = cgroup_of(watched, container)
    ran = subprocess.run(["/bin/true"], preexec_fn=lambda: (cgroup / "cgroup.procs").write_text("0"), check=False)
    assert ran.returncode == 0
    assert "/bin/true" not in {event.filename for event in watched.executions()}


def test_child_of_what_the_engine_put_there_is_watched(watched: Watched, container: Container) -> None:
    cgroup = cgroup_of(watched, container)
    ran = subprocess.run(
        ["/bin/sh", "-c", "/bin/true; echo $?"],
        preexec_fn=lambda: (cgroup / "cgroup.procs").write_text("0"),
        capture_output=True,
        check=False,
    )
    assert ran.stdout == b"137\n"
    assert "/bin/true" in {event.filename for event in watched.executions()}


def test_flood_of_honest_executions_hides_no_drift(watched: Watched, container: Container) -> None:
    before = watched.sensor.losses().get("process/exec_repeated", 0)
    does(container, "cp /marker /tmp/x")
    watched.events()
    script = "i=0; while [ $i -lt 1500 ]; do /bin/true; i=$((i+1)); done; /tmp/x /out/mark"
    does(container, script.replace("/bin/true", "/bin/busybox true"))
    told = watched.executions()
    repeated = watched.sensor.losses()["process/exec_repeated"] - before
    assert [event.filename for event in told if ExecFlag.KILLED in event.flags] == ["/tmp/x"]
    assert sum(event.arguments == ("/bin/busybox", "true") for event in told) + repeated == 1500
    assert repeated > 1000


def test_different_executions_are_all_told(watched: Watched, container: Container) -> None:
    does(container, "i=0; while [ $i -lt 200 ]; do /bin/busybox true $i; i=$((i+1)); done")
    numbers = [event.arguments[2] for event in watched.executions() if event.arguments[:2] == ("/bin/busybox", "true")]
    assert numbers == [str(number) for number in range(200)]

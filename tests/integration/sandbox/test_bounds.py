"""Whoever wants more than there is does not get it, and the run ends as runs end."""

from pathlib import Path

from pratique.model import Ending, ExecEvent, FlowEvent, WriteEvent
from tests.integration.sandbox.played import compiled, image, play, remains

HOG = """
#include <stdlib.h>
#include <string.h>
int main(void) { for (;;) memset(malloc(1 << 20), 1, 1 << 20); }
"""
BOMB = "#include <unistd.h>\nint main(void) { for (;;) fork(); }"
WRITER = """
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
int main(void)
{
	char name[64];
	int made = 0;
	for (int i = 0; i < 100000; i++) {
		snprintf(name, sizeof name, "/tmp/file-%d", i);
		int fd = open(name, O_CREAT | O_WRONLY, 0644);
		if (fd < 0)
			break;
		made++;
		write(fd, "x", 1);
		close(fd);
	}
	printf("made %d\\n", made);
	return 0;
}
"""
SPRAY = """
#include <arpa/inet.h>
#include <unistd.h>
#include <sys/socket.h>
int main(void)
{
	for (int i = 0; i < 5000; i++) {
		struct sockaddr_in to = { AF_INET, htons(1 + i % 1000), { htonl(0xCB007100 + i % 200) } };
		int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fd, (struct sockaddr *)&to, sizeof to);
		close(fd);
		fd = socket(AF_INET, SOCK_DGRAM, 0);
		sendto(fd, "x", 1, 0, (struct sockaddr *)&to, sizeof to);
		close(fd);
	}
	return 0;
}
"""


def test_memory_hog_is_ended_by_the_kernel() -> None:
    recording = play(image({"bin/hog": compiled("hog", HOG)}, Cmd=["/bin/hog"]), memory_bytes=64 << 20)
    assert recording.ending is Ending.MEMORY
    assert 64 << 20 <= recording.peak_memory < 1 << 30


def test_fork_bomb_is_held_and_ended() -> None:
    recording = play(image({"bin/bomb": compiled("bomb", BOMB)}, Cmd=["/bin/bomb"]), for_s=2.0, pids=64)
    assert recording.ending is Ending.TIME
    assert recording.cpu_s < 10
    assert remains() == []


def test_disk_filler_gets_no_more_than_its_share() -> None:
    recording = play("busybox dd if=/dev/zero of=/tmp/big bs=1M; busybox du -m /tmp/big", disk_bytes=32 << 20)
    assert b"No space left" in recording.output
    size = int(recording.output.splitlines()[-1].split()[0])
    assert 0 < size <= 32
    assert recording.ending is Ending.EXITED


def test_output_flood_is_cut() -> None:
    recording = play("busybox yes it floods", for_s=2.0, output_bytes=1000)
    assert len(recording.output) == 1000
    assert recording.output.startswith(b"it floods\n")


def test_writer_of_100000_files_is_told_within_bounds() -> None:
    recording = play(image({"bin/writer": compiled("writer", WRITER)}, Cmd=["/bin/writer"]), max_events=500)
    made = int(recording.output.split()[1])
    assert 10_000 < made < 66_000, "the inodes are bounded"
    assert sum(isinstance(event, WriteEvent) for event in recording.recorded) <= 500
    assert recording.omitted > 1000


def test_events_of_the_sensor_are_bounded() -> None:
    script = "i=0; while [ $i -lt 300 ]; do probe x$i 2>/dev/null; i=$((i + 1)); done"
    recording = play(script, max_events=100)
    assert len(recording.sensed) == 100
    assert sum(isinstance(event, ExecEvent) for event in recording.sensed) >= 99
    assert recording.omitted >= 200


def test_spray_of_connections_does_not_drown_the_rest() -> None:
    recording = play(image({"bin/spray": compiled("spray", SPRAY)}, Cmd=["/bin/spray"]), max_events=2000)
    assert recording.ending is Ending.EXITED
    assert len(recording.recorded) <= 2000
    assert sum(isinstance(event, FlowEvent) for event in recording.sensed) > 500


STORM = """
#include <sys/mount.h>
int main(void) { for (int i = 0; i < 20000; i++) mount("a", "b", "tmpfs", 0, 0); return 0; }
"""


def test_storm_of_refused_calls_is_counted() -> None:
    recording = play(image({"bin/storm": compiled("storm", STORM)}, Cmd=["/bin/storm"]), for_s=60.0)
    assert recording.ending is Ending.EXITED
    assert len(recording.recorded) == 500
    assert recording.omitted == 19_500


def test_sleeper_in_a_loop_neither_waits_nor_storms() -> None:
    recording = play("i=0; while [ $i -lt 200 ]; do sleep 1; i=$((i + 1)); done; echo woke", for_s=24.0)
    assert b"woke" in recording.output
    assert 180 < recording.slept_s < 195
    assert recording.duration_s > 5


def test_sleeps_can_be_left_alone() -> None:
    recording = play("sleep 600", for_s=1.5, skip_sleeps=False)
    assert (recording.ending, recording.slept_s) == (Ending.TIME, 0.0)


def test_cpu_is_bounded() -> None:
    recording = play("while :; do :; done & while :; do :; done", for_s=3.0, cpus=0.2)
    assert recording.cpus == 0.2
    assert 0 < recording.cpu_s < 1.5


def test_files_of_the_host_are_untouched(tmp_path: Path) -> None:
    play("echo x > /tmp/mark; mkdir -p /run/merged; echo x > /run/merged/mark", work=tmp_path / "work")
    assert list((tmp_path / "work").iterdir()) == []
    assert not Path("/run/merged").exists()

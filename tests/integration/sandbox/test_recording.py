"""What a run tells, of one program that does a little of everything."""

import platform

import pytest

from pratique.model import Ending, ExecEvent, ExecFlag, FlowEvent, Protocol, Recording, Service
from tests.integration.sandbox.played import bites, compiled, conversations, image, play, privileges, writes


def executions(recording: Recording) -> list[ExecEvent]:
    return [event for event in recording.sensed if isinstance(event, ExecEvent)]


def test_the_end_and_the_output_are_told(busy: Recording) -> None:
    assert (busy.ending, busy.exit_code) == (Ending.EXITED, 3)
    assert busy.output.startswith(b"hello from within\n")
    assert busy.command[:2] == ("/bin/sh", "-c")
    assert 0 < busy.cpu_s < busy.duration_s
    assert busy.peak_memory > 100_000
    assert busy.omitted == 0


def test_program_dropped_and_executed_is_told_with_who_dropped_it(busy: Recording) -> None:
    event = next(event for event in executions(busy) if event.filename == "/tmp/dropped")
    assert ExecFlag.UPPER in event.flags
    assert event.uid == 0
    written = writes(busy)["/tmp/dropped"]
    assert written.command in {"cp", ""}  # without a name where it was gone before anybody could look
    assert written.executable


def test_program_of_the_image_is_told_as_such(busy: Recording) -> None:
    assert executions(busy)[0].flags == ExecFlag.LOWER


def test_process_tree_can_be_rebuilt(busy: Recording) -> None:
    events = executions(busy)
    pids = {event.pid for event in events}
    assert all(event.parent in pids for event in events[1:])


def test_downloaded_program_and_script_run_and_are_told(busy: Recording) -> None:
    assert b"it ran" in busy.output
    flags = {event.filename: event.flags for event in executions(busy)}
    assert ExecFlag.UPPER in flags["/tmp/program"]
    assert ExecFlag.UPPER | ExecFlag.SCRIPT in flags["/tmp/stage.sh"]


def test_names_asked_for_are_told_and_connections_carry_them(busy: Recording) -> None:
    assert {event.name for event in conversations(busy, Service.DNS)} == {"evil.example", "secret.example"}
    request = conversations(busy, Service.HTTP)[0]
    assert (request.name, request.port, request.request) == ("evil.example", 80, "GET /stage.sh HTTP/1.1")
    assert request.payload.startswith(b"GET /stage.sh")


def test_tls_is_opened_and_what_is_in_it_is_told(busy: Recording) -> None:
    (hello,) = conversations(busy, Service.TLS)
    assert (hello.name, hello.port) == ("secret.example", 443)
    assert ("secret.example", 443, "GET /page.json HTTP/1.1") in [
        (event.name, event.port, event.request) for event in conversations(busy, Service.HTTP)
    ]


def test_whatever_is_sent_to_any_port_of_any_address_is_told(busy: Recording) -> None:
    tcp = {(event.address, event.port): event.payload for event in conversations(busy, Service.TCP)}
    assert tcp["203.0.113.5", 4444] == b"hello-there"
    (udp,) = conversations(busy, Service.UDP)
    assert (udp.protocol, udp.address, udp.port, udp.payload) == (Protocol.UDP, "203.0.113.6", 5555, b"datagram")


def test_miner_is_let_log_in(busy: Recording) -> None:
    (event,) = conversations(busy, Service.STRATUM)
    assert (event.address, event.port, event.request) == ("203.0.113.7", 3333, "mining.subscribe")
    assert b"mining.notify" in busy.output


def test_mail_is_taken(busy: Recording) -> None:
    events = conversations(busy, Service.SMTP)
    assert "victim@c.example" in [event.request for event in events]
    assert any(b"buy this" in event.payload for event in events)


def test_server_that_speaks_first_speaks_first(busy: Recording) -> None:
    assert b"SSH-2.0" in busy.output


def test_sensor_tells_the_flows_too(busy: Recording) -> None:
    flows = {(event.address, event.port) for event in busy.sensed if isinstance(event, FlowEvent)}
    assert {("203.0.113.5", 4444), ("203.0.113.6", 5555), ("203.0.113.7", 3333)} <= flows


def test_bait_is_told_when_it_is_opened_not_when_it_is_listed(busy: Recording) -> None:
    # two instruments, each with a time of its own: on a busy machine the later bite may be told first
    assert sorted((event.bait, event.path) for event in bites(busy)) == [
        ("cloud-key", "/root/.aws/credentials"),
        ("engine-socket", "/var/run/docker.sock"),
    ]
    assert {event.command for event in bites(busy) if event.bait == "engine-socket"} == {"engine"}
    assert {event.pid for event in bites(busy)} <= {event.pid for event in executions(busy)}


def test_false_engine_answers_and_tells_what_it_was_asked(busy: Recording) -> None:
    requests = [event.request for event in bites(busy) if event.bait == "engine-socket"]
    assert requests == ["GET /v1.40/containers/json HTTP/1.0"]
    assert b'"Names":["/web"]' in busy.output


def test_privileged_calls_are_refused_and_told(busy: Recording) -> None:
    assert privileges(busy) == {
        "mount": "tmpfs nothing /mnt",
        "unshare": "net",
        "chroot": "/",
        "mknodat": "/tmp/disk",
    }
    assert b"a fifo is allowed" in busy.output


def test_file_that_was_renamed_is_told_by_the_name_it_has_in_the_end(busy: Recording) -> None:
    assert {"/tmp/second", "/dev/shm/shared"} <= set(writes(busy))


def test_sleepers_are_woken(busy: Recording) -> None:
    assert 4190 < busy.slept_s <= 4200
    assert busy.duration_s < 60


def test_every_event_is_of_the_containers_cgroup_and_in_order(busy: Recording) -> None:
    events = [event for event in busy.recorded if hasattr(event, "cgroup")]
    assert {event.cgroup for event in events} == {executions(busy)[0].cgroup}
    for each in (busy.sensed, busy.recorded):
        assert [event.at for event in each] == sorted(event.at for event in each)


def test_user_directory_and_environment_are_the_images() -> None:
    script = "id; pwd; echo $GREETING $HOME; touch /srv/data/mine && echo may write; probe tcp 192.0.2.1 80 x"
    recording = play(
        image(
            {
                "etc/passwd": b"root:x:0:0::/root:/bin/sh\nweb:x:101:102::/home/web:/bin/sh\n",
                "etc/group": b"root:x:0:\nextra:x:103:web\n",
            },
            Cmd=["-c", script],
            Entrypoint=["/bin/sh"],
            User="web",
            WorkingDir="/srv/data",
            Env=["PATH=/bin:/usr/bin", "GREETING=hello"],
        )
    )
    lines = recording.output.decode().splitlines()
    assert lines[:3] == ["uid=101(web) gid=102 groups=103(extra)", "/srv/data", "hello /home/web"]
    assert "may write" not in lines
    assert executions(recording)[0].uid == 101


def test_command_can_be_replaced() -> None:
    recording = play(image(Cmd=["/bin/false"]), command=("/bin/echo", "mine"))
    assert recording.output == b"mine\n"
    assert recording.command == ("/bin/echo", "mine")


def test_service_is_ended_by_the_time_limit() -> None:
    recording = play("while :; do sleep 0.1; done", for_s=1.5)
    assert (recording.ending, recording.exit_code) == (Ending.TIME, 0)
    assert 1.5 <= recording.duration_s < 10


def test_program_that_is_not_there_is_a_failed_run_not_an_error() -> None:
    recording = play(image(Cmd=["/no/such/program"]))
    assert recording.ending is Ending.FAILED
    assert b"/no/such/program" in recording.output
    assert play(image(User="nobody-knows")).ending is Ending.FAILED
    assert play(image(Cmd=[], Entrypoint=[])).ending is Ending.FAILED


def test_death_by_a_signal_is_told_as_shells_do() -> None:
    crash = compiled("crash", "int main(void) { *(volatile int *)8 = 1; }")
    recording = play(image({"bin/crash": crash}, Cmd=["/bin/crash"]))
    assert (recording.ending, recording.exit_code) == (Ending.EXITED, 128 + 11)


PING = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
int main(void)
{
	char echo[] = "\010\0\0\0\0\0\0\1are you there", answer[64];
	struct sockaddr_in four = { AF_INET, 0, { inet_addr("203.0.113.50") } };
	struct sockaddr_in6 six = { AF_INET6 };
	int fd = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
	sendto(fd, echo, sizeof echo - 1, 0, (struct sockaddr *)&four, sizeof four);
	printf("%zd\n", recv(fd, answer, sizeof answer, 0));
	inet_pton(AF_INET6, "2001:db8::50", &six.sin6_addr);
	echo[0] = (char)128;
	fd = socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
	sendto(fd, echo, sizeof echo - 1, 0, (struct sockaddr *)&six, sizeof six);
	printf("%zd\n", recv(fd, answer, sizeof answer, 0));
	return 0;
}
"""


def test_ping_is_answered_and_told() -> None:
    recording = play(image({"bin/ping": compiled("ping", PING)}, Cmd=["/bin/ping"]))
    assert recording.output == b"21\n21\n"
    pings = [(e.address, e.protocol, e.payload) for e in conversations(recording, Service.ICMP)]
    assert pings == [
        ("203.0.113.50", Protocol.ICMP, b"are you there"),
        ("2001:db8::50", Protocol.ICMP, b"are you there"),
    ]


def test_bait_that_is_moved_before_it_is_read_is_bait_still() -> None:
    recording = play("busybox mv /root/.ssh/id_rsa /tmp/harmless; cat /tmp/harmless >/dev/null")
    assert [(event.bait, event.path) for event in bites(recording)] == [("moved-key", "/tmp/harmless")]


def test_files_of_the_image_are_no_bait() -> None:
    own = {"root/.ssh/id_rsa": b"the image's own", "var/run/docker.sock": b"its own too"}
    recording = play(image(own, Cmd=["/bin/cat", "/root/.ssh/id_rsa", "/var/run/docker.sock"]))
    assert recording.output == b"the image's ownits own too"
    assert bites(recording) == []


COMPACT = """
#include <sys/mman.h>
static long old(long number, long a, long b, long c, long d)
{
	long result;
	asm volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c), "S"(d) : "memory");
	return result;
}
int main(void)
{
	char *low = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	int *time = (int *)low;
	time[0] = 600;
	old(162, (long)low, 0, 0, 0);
	__builtin_memcpy(low, "proc", 5);
	return -old(21, (long)low, (long)low, (long)low, 0);
}
"""


@pytest.mark.skipif(platform.machine() != "x86_64", reason="how programs of 32 bits call an x86 kernel")
def test_calls_of_programs_of_32_bits_are_seen_as_well() -> None:
    recording = play(image({"bin/compact": compiled("compact", COMPACT)}, Cmd=["/bin/compact"]))
    assert (recording.ending, recording.exit_code) == (Ending.EXITED, 1)
    assert privileges(recording) == {"mount": "proc proc proc"}
    assert recording.slept_s > 590


def test_connection_that_says_nothing_is_told_in_the_end() -> None:
    silent = """
    busybox mkfifo /tmp/open
    busybox nc 203.0.113.60 7777 </tmp/open &
    exec 3>/tmp/open
    busybox usleep 500000
    """
    (event,) = conversations(play(silent), Service.TCP)
    assert (event.address, event.port, event.payload) == ("203.0.113.60", 7777, b"")

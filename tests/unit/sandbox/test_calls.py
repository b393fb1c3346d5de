"""How system calls that were passed on are understood."""

import struct
import time
from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from pratique.sandbox.notify import Call, telling_argument, wanted_sleep
from pratique.sandbox.numbers import names_by_number
from pratique.sandbox.seccomp import DEVICES, REFUSED, SLEEPS, WAITS, profile
from pratique.sandbox.sleeps import LONGEST_S, Sleeps

ANYTHING = sorted(REFUSED | SLEEPS | WAITS.keys() | DEVICES.keys() | {"clone", "call 999"})


def memory(**places: bytes) -> Callable[[int], bytes]:
    """Memory with something at the address ``aN``."""
    return lambda address: places.get(f"a{address}", b"")


def call(name: str, *arguments: int) -> Call:
    return Call(1, 1, name, (*arguments, *[0] * (6 - len(arguments))))


def timespec(seconds: int, nanoseconds: int = 0) -> bytes:
    return struct.pack("=qq", seconds, nanoseconds)


def test_every_way_to_sleep_tells_how_long() -> None:
    there = memory(a8=timespec(600, 500_000_000))
    assert wanted_sleep(call("nanosleep", 8), there) == 600.5
    assert wanted_sleep(call("clock_nanosleep", time.CLOCK_MONOTONIC, 0, 8), there) == 600.5
    assert wanted_sleep(call("ppoll", 0, 0, 8), there) == 600.5
    assert wanted_sleep(call("pselect6", 0, 0, 0, 0, 8), there) == 600.5
    assert wanted_sleep(call("select", 0, 0, 0, 0, 8), memory(a8=timespec(2, 500_000))) == 2.5
    assert wanted_sleep(call("poll", 0, 0, 1500), there) == 1.5


def test_sleep_until_is_the_time_until_then() -> None:
    there = memory(a8=timespec(int(time.clock_gettime(time.CLOCK_MONOTONIC)) + 600))
    wanted = wanted_sleep(call("clock_nanosleep", time.CLOCK_MONOTONIC, 1, 8), there)
    assert wanted is not None
    assert 590 < wanted <= 600
    assert wanted_sleep(call("clock_nanosleep", 0xFFFFFFFF, 1, 8), there) is None


def test_wait_for_ever_and_nonsense_are_no_sleeps() -> None:
    assert wanted_sleep(call("poll", 0, 0, 0xFFFFFFFF), memory()) is None
    assert wanted_sleep(call("ppoll", 0, 0, 0), memory()) is None
    assert wanted_sleep(call("nanosleep", 8), memory(a8=timespec(-1))) is None
    assert wanted_sleep(call("nanosleep", 8), memory(a8=timespec(1, 2_000_000_000))) is None
    assert wanted_sleep(call("nanosleep", 8), memory(a8=b"short")) is None


def test_argument_tells_what_a_call_is_about() -> None:
    there = memory(a1=b"/dev/sda\0garbage", a2=b"/mnt\0", a3=b"ext4\0")
    assert telling_argument(call("mount", 1, 2, 3), there) == "ext4 /dev/sda /mnt"
    assert telling_argument(call("unshare", 0x10020000), there) == "mnt user"
    assert telling_argument(call("setns", 5, 0x40000000), there) == "net"
    assert telling_argument(call("ptrace", 16, 42), there) == "16 42"
    assert telling_argument(call("mknod", 2), memory(a2=b"/dev/\x1b[2Jx\0")) == "/dev/\\x1b[2Jx"
    assert telling_argument(call("mount", 0, 2, 3), there) == "ext4 /mnt"


@given(st.sampled_from(ANYTHING), st.tuples(*[st.integers(0, 2**64 - 1)] * 6), st.binary(max_size=256))
def test_no_argument_and_no_memory_break_it(name: str, arguments: tuple[int, ...], content: bytes) -> None:
    asked = Call(1, 1, name, arguments)
    assert telling_argument(asked, lambda _: content).isprintable()
    if name in SLEEPS or name in WAITS:
        wanted = wanted_sleep(asked, lambda _: content)
        assert wanted is None or wanted < 2**64


def test_times_of_programs_of_32_bits_are_read_as_such() -> None:
    there = memory(a8=struct.pack("=ii", 600, 500_000_000))
    assert wanted_sleep(Call(1, 1, "nanosleep", (8, 0, 0, 0, 0, 0), compact=True), there) == 600.5
    there = memory(a8=timespec(600))
    assert wanted_sleep(Call(1, 1, "clock_nanosleep_time64", (1, 0, 8, 0, 0, 0), compact=True), there) == 600


def test_every_call_that_is_passed_on_has_a_number_on_this_machine() -> None:
    passed_on = REFUSED | SLEEPS | WAITS.keys() | DEVICES.keys() | {"clone"}
    names = names_by_number("x86_64")
    assert set(names.values()) == passed_on
    assert names[0x40000003, 21] == names[0xC000003E, 165] == "mount"
    assert names_by_number("aarch64")[0xC00000B7, 40] == "mount"


def test_short_sleeps_are_slept() -> None:
    assert Sleeps(0.0).pause(0.4) is None


def test_who_waits_for_something_a_second_at_a_time_is_let_wait_for_a_while() -> None:
    sleeps = Sleeps(15.0)
    assert [sleeps.pause(1.0) for _ in range(15)] == [None] * 15
    assert sleeps.pause(1.0) is not None
    assert Sleeps(15.0).pause(600.0) is not None


def test_long_sleep_costs_a_moment() -> None:
    sleeps = Sleeps(0.0)
    assert sleeps.pause(600) == 0.0201
    assert sleeps.skipped_s == 600 - 0.0201


def test_ten_minutes_in_sleeps_of_a_second_take_less_than_a_minute() -> None:
    sleeps = Sleeps(0.0)
    pauses = [sleeps.pause(1.0) for _ in range(600)]
    assert 20 < sum(pause for pause in pauses if pause is not None) < 40


def test_who_sleeps_for_ever_is_slowed_down() -> None:
    sleeps = Sleeps(0.0)
    turns, spent = 0, 0.0
    while spent < 60:
        spent += sleeps.pause(1.0) or 1.0
        turns += 1
    assert turns < 1000
    assert sleeps.pause(1.0) > 0.05  # type: ignore[operator]


@given(st.lists(st.floats(0, 1e12), max_size=50))
def test_no_pause_is_longer_than_the_sleep_and_no_sleep_counts_for_ever(wanted: list[float]) -> None:
    sleeps = Sleeps(0.0)
    for each in wanted:
        pause = sleeps.pause(each)
        assert pause is None or 0 < pause <= each
    assert sleeps.skipped_s <= len(wanted) * LONGEST_S


def rules(name: str, *, skip_sleeps: bool = True) -> list[str]:
    document = profile("/run/s", skip_sleeps=skip_sleeps)
    return [rule["action"] for rule in document["syscalls"] if name in rule["names"]]


def test_profile_refuses_by_default_and_knows_each_call_once() -> None:
    assert profile("/run/s", skip_sleeps=True)["defaultAction"] == "SCMP_ACT_ERRNO"
    assert rules("read") == ["SCMP_ACT_ALLOW"]
    assert rules("mount") == ["SCMP_ACT_NOTIFY"]
    assert rules("io_uring_setup") == []
    assert rules("clone3") == ["SCMP_ACT_ERRNO"]
    assert rules("nanosleep") == ["SCMP_ACT_NOTIFY"]
    assert rules("nanosleep", skip_sleeps=False) == rules("poll", skip_sleeps=False) == ["SCMP_ACT_ALLOW"]
    assert sorted(rules("mknodat")).count("SCMP_ACT_NOTIFY") == 2
    assert len(rules("clone")) == 8

from itertools import pairwise

import pytest

from pratique.hub.sessions import IDLE_S, LONGEST_S, MAX_SESSIONS, Bucket, Role, Sessions


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(clock, lambda: Bucket(10, 1.0, clock))


def test_session_is_found_by_its_cookie_alone(sessions: Sessions) -> None:
    first, second = sessions.open(Role.VIEWER), sessions.open(Role.OPERATOR)
    assert sessions.find(first.cookie) is first.session
    assert sessions.find(second.cookie) is second.session
    for wrong in ("", first.cookie[:-1], first.cookie + "a", "\ud800"):
        assert sessions.find(wrong) is None


def test_session_that_nobody_uses_ends(sessions: Sessions, clock: Clock) -> None:
    opened = sessions.open(Role.VIEWER)
    clock.now += IDLE_S + 1
    assert sessions.find(opened.cookie) is None


def test_session_ends_at_last_even_when_it_is_used(sessions: Sessions, clock: Clock) -> None:
    opened = sessions.open(Role.VIEWER)
    for _ in range(int(LONGEST_S // IDLE_S)):
        clock.now += IDLE_S - 1
        assert sessions.find(opened.cookie) is opened.session
    clock.now += IDLE_S - 1
    assert sessions.find(opened.cookie) is None


def test_stream_does_not_keep_a_session_alive(sessions: Sessions, clock: Clock) -> None:
    opened = sessions.open(Role.VIEWER)
    clock.now += IDLE_S - 1
    assert sessions.is_open(opened.session)
    clock.now += 2
    assert not sessions.is_open(opened.session)


def test_closed_session_is_over_for_pages_and_streams(sessions: Sessions) -> None:
    opened, other = sessions.open(Role.VIEWER), sessions.open(Role.VIEWER)
    sessions.close(opened.session)
    assert sessions.find(opened.cookie) is None
    assert not sessions.is_open(opened.session)
    assert sessions.find(other.cookie) is other.session


def test_sessions_are_bounded_and_the_longest_unused_makes_room(sessions: Sessions, clock: Clock) -> None:
    opened = []
    for _ in range(MAX_SESSIONS):
        clock.now += 0.001
        opened.append(sessions.open(Role.VIEWER))
    clock.now += 1
    assert sessions.find(opened[0].cookie)
    sessions.open(Role.VIEWER)
    assert sessions.find(opened[0].cookie)
    assert sessions.find(opened[1].cookie) is None


def test_each_session_has_a_token_of_its_own(sessions: Sessions) -> None:
    one, other = sessions.open(Role.VIEWER).session, sessions.open(Role.VIEWER).session
    assert one.is_from_here(one.csrf)
    assert not one.is_from_here(other.csrf)
    assert not one.is_from_here("")
    assert not one.is_from_here("é")


def test_notice_is_said_once(sessions: Sessions) -> None:
    session = sessions.open(Role.VIEWER).session
    session.notice = "done"
    assert (session.take_notice(), session.take_notice()) == ("done", "")


def test_later_roles_may_do_what_earlier_ones_may() -> None:
    for lower, higher in pairwise(Role):
        assert higher.permits(lower)
        assert not lower.permits(higher)


def test_bucket_gives_a_burst_and_then_fills_slowly(clock: Clock) -> None:
    bucket = Bucket(3, 2.0, clock)
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    clock.now += 0.5
    assert [bucket.take() for _ in range(2)] == [True, False]
    clock.now += 3600
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]

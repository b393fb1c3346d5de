from hypothesis import given
from hypothesis import strategies as st

from pratique.detections import pools
from pratique.detections.miners import miner_sign, pool_of, queried_name, stratum_method
from pratique.detections.shells import installs_software, is_piped_download, is_reverse_shell
from tests.unit.detections.events import question

LABEL = st.text("abcdefghijklmnopqrstuvwxyz0123456789-_", min_size=1, max_size=63)
NAME = st.lists(LABEL, min_size=1, max_size=4).map(".".join)


@given(NAME)
def test_name_of_a_question_is_read_back(name: str) -> None:
    assert queried_name(question(name)) == name


@given(NAME, st.integers(12, 100))
def test_question_that_is_cut_short_gives_no_name(name: str, length: int) -> None:
    whole = question(name)
    cut = whole[: min(length, len(whole) - 6)]
    assert queried_name(cut) == ""


@given(st.binary(max_size=128))
def test_any_bytes_are_taken(content: bytes) -> None:
    assert isinstance(queried_name(content), str)
    assert isinstance(stratum_method(content), str)


def test_answers_other_opcodes_and_other_counts_are_no_questions() -> None:
    assert queried_name(question("supportxmr.com", flags=0x8180)) == ""
    assert queried_name(question("supportxmr.com", flags=0x2000)) == ""
    assert queried_name(question("supportxmr.com", count=2)) == ""
    assert queried_name(b"") == ""


def test_compression_pointers_end_the_reading() -> None:
    assert queried_name(b"\x12\x34\x01\x00\x00\x01" + b"\x00" * 6 + b"\x03abc\xc0\x0c" + b"\x00" * 20) == ""


def test_odd_bytes_in_a_name_cannot_make_a_label() -> None:
    assert (
        queried_name(b"\x12\x34\x01\x00\x00\x01" + b"\x00" * 6 + b"\x05a\x00\x1b\xff \x02io\x00\x00\x01\x00\x01")
        == "a????.io"
    )


def test_every_pool_is_found_with_and_below_its_name() -> None:
    for domain in pools.DOMAINS:
        assert pool_of(domain) == domain
        assert pool_of(f"eu.xmr.{domain}.") == domain
        assert pool_of(f"not{domain}") != domain
        assert domain == domain.lower()


@given(st.text(max_size=300))
def test_any_name_is_taken(name: str) -> None:
    assert isinstance(pool_of(name), str)


@given(st.text(max_size=50), st.lists(st.text(max_size=200), max_size=8).map(tuple))
def test_any_command_line_is_taken(program: str, arguments: tuple[str, ...]) -> None:
    assert isinstance(miner_sign(program, arguments), str)
    assert is_reverse_shell(program, arguments) in {True, False}
    assert is_piped_download(program, arguments) in {True, False}
    assert installs_software(program, arguments) in {True, False}


def test_hostile_command_lines_are_read_in_linear_time() -> None:
    # Would take minutes if a pattern could go back and forth; pytest's timeout is the judge.
    long = 200_000
    for text in ("curl " * long, "curl" + " " * long + "|", "wget|" * long, "exec 1" * long, "/dev/tcp/" * long):
        is_piped_download("sh", ("sh", "-c", text))
        is_reverse_shell("sh", ("sh", "-c", text))
    miner_sign("x", ("x", "stratum+" * long, "a.b:" * long, "--randomx-" + "a" * long, "a." * long + ":1"))
    stratum_method(b'{"method"' + b" " * long)

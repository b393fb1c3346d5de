"""The advisory database on the command line."""

import os
from pathlib import Path

import pytest

from tests.unit.advisories.zips import advisory, write_zip
from tests.unit.cli.conftest import Run


@pytest.mark.parametrize(
    ("name", "shown"),
    [(b"[red]a.zip", "[red]a.zip"), (b"\x1b[31ma.zip", r"\x1b[31ma.zip"), (b"\xfe.zip", r"\xfe.zip")],
)
def test_name_of_a_file_is_text_and_no_command(pratique: Run, host: Path, name: bytes, shown: str) -> None:
    path = host / os.fsdecode(name)
    write_zip(path, advisory("A-1", "x", "1.0"))
    code, _, err = pratique("db", "import", str(path))
    assert (code, f"1 advisories from {shown}" in err) == (0, True)
    assert shown in pratique("db", "status")[1]

"""The disk fills up while the store is written, and is emptied again."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pratique.errors import StoreError
from pratique.model import Decision, Verdict
from pratique.store import Store


@pytest.fixture
def small_disk(tmp_path: Path, root: None) -> Iterator[Path]:
    del root
    path = tmp_path / "disk"
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(path)], check=True)
    yield path
    subprocess.run(["umount", str(path)], check=True)


def append_for_ever(store: Store, batch: list[Decision], acknowledged: list[int]) -> None:
    while True:
        store.append_decisions(batch)
        acknowledged.append(len(batch))


def test_full_disk_is_told_and_the_chain_goes_on_when_there_is_room(small_disk: Path) -> None:
    ballast = small_disk / "ballast"
    batch = [Decision(1.0, Verdict.DENY, "r", "s" * 100) for _ in range(100)]
    acknowledged: list[int] = []
    with Store.open(small_disk / "pratique.db") as store:
        ballast.write_bytes(b"x" * (1 << 20))
        with pytest.raises(StoreError, match="cannot be written") as caught:
            append_for_ever(store, batch, acknowledged)
        assert "room" in caught.value.hint
        assert store.verify_decisions().count == sum(acknowledged)
        ballast.unlink()
        store.append_decisions(batch)
        check = store.verify_decisions()
    assert (check.count, check.broken) == (sum(acknowledged) + len(batch), 0)

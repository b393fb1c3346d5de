import os
import sqlite3
import stat
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from pratique.errors import EmptyStoreError, StoreError
from pratique.store import (
    Store,
    tables,  # noqa: F401  # its tables join METADATA
)
from pratique.store.schema import HEAD, METADATA
from tests.unit.store.values import CHECKOUT, decision, report


def test_missing_store_read_only_is_told_with_the_next_step(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing recorded yet") as caught:
        Store.open(tmp_path / "pratique.db", read_only=True)
    assert "pratique up" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_store_is_created_with_its_directory_for_its_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "state" / "pratique.db"
    with Store.open(path) as store:
        store.set_state("a", "b")
        modes = {entry.name: stat.S_IMODE(entry.stat().st_mode) for entry in path.parent.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def test_path_with_odd_characters_is_one_path(tmp_path: Path) -> None:
    path = tmp_path / "a?mode=memory#b %41" / "pratique.db"
    with Store.open(path) as store:
        store.set_state("a", "b")
    with Store.open(path, read_only=True) as store:
        assert store.state("a") == "b"


def test_migrations_leave_the_schema_that_the_code_describes(store: Store) -> None:
    with store._database.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), METADATA) == []


def test_settings_are_what_durability_rests_on(tmp_path: Path) -> None:
    with Store.open(tmp_path / "pratique.db") as store, store._database.read() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_file_that_is_no_database_is_told_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "pratique.db"
    path.write_bytes(b"not a database" * 1000)
    for read_only in (False, True):
        with pytest.raises(StoreError, match="damaged") as caught:
            Store.open(path, read_only=read_only)
        assert str(path) in caught.value.hint


def read_all(path: Path) -> None:
    with Store.open(path, read_only=True) as store:
        store.decisions()
        store.images()
        store.alerts()


def test_torn_pages_are_told_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "pratique.db"
    with Store.open(path) as store:
        store.append_decisions([decision(number) for number in range(2000)])
    with path.open("r+b") as stream:
        stream.seek(8192)
        stream.write(os.urandom(path.stat().st_size - 8192))
    with pytest.raises(StoreError, match="damaged"):
        read_all(path)


def test_damaged_report_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "pratique.db"
    with Store.open(path) as store:
        store.put_report(report())
        connection = sqlite3.connect(path)
        for blob in (b"", b"\x00", b"x\x9c", b"x\x9c\x03\x00\x00\x00\x00\x01"):
            connection.execute("UPDATE reports SET document = ?", (blob,))
            connection.commit()
            with pytest.raises(StoreError, match="Report"):
                store.report(CHECKOUT.id)
        connection.close()


def test_newer_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pratique.db"
    Store.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    for read_only in (False, True):
        with pytest.raises(StoreError, match="newer version"):
            Store.open(path, read_only=read_only)


def test_store_of_an_unknown_schema_is_one_error(tmp_path: Path) -> None:
    path = tmp_path / "pratique.db"
    Store.open(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE alembic_version SET version_num = '0000'")
    connection.commit()
    connection.close()
    with pytest.raises(StoreError, match="not Pratique's"):
        Store.open(path)


def test_empty_file_is_refused_read_only_and_filled_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "pratique.db"
    path.touch()
    with pytest.raises(EmptyStoreError, match="is empty"):
        Store.open(path, read_only=True)
    Store.open(path).close()
    Store.open(path, read_only=True).close()


def test_read_only_store_is_never_written(tmp_path: Path) -> None:
    path = tmp_path / "pratique.db"
    Store.open(path).close()
    with Store.open(path, read_only=True) as store, pytest.raises(StoreError, match="cannot be written"):
        store.set_state("a", "b")


def test_link_in_place_of_the_store_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    (tmp_path / "pratique.db").symlink_to(target)
    with pytest.raises(StoreError, match="cannot be opened"):
        Store.open(tmp_path / "pratique.db")
    assert not target.exists()


def test_directory_in_place_of_the_store_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pratique.db").mkdir()
    with pytest.raises(StoreError):
        Store.open(tmp_path / "pratique.db")
    with pytest.raises(StoreError):
        Store.open(tmp_path / "pratique.db", read_only=True)


def test_locked_store_is_told_as_locked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pratique.store.sqlite.BUSY_TIMEOUT_S", 0.1)
    path = tmp_path / "pratique.db"
    with Store.open(path) as store:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreError, match="locked"):
            store.set_state("a", "b")
        assert store.state("a") is None  # readers go on
        holder.close()
        store.set_state("a", "b")


def test_policies_and_state_are_kept(store: Store) -> None:
    store.put_policy("version: 1\n", "d1", 1.0)
    store.put_policy("version: 1\nbuilds: gate\n", "d2", 2.0)
    store.set_state("a", "b")
    store.set_state("a", "c")
    assert [policy.sha256 for policy in store.policies()] == ["d2", "d1"]
    assert store.state("a") == "c"
    assert store.state("missing") is None


def test_head_is_the_newest_revision() -> None:
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    from pratique.store.database import _MIGRATIONS

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [HEAD]

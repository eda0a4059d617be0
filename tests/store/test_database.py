"""The database file: cursors of one's own, transactions that roll back, errors in words, migrations from every step."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from lancelot.errors import StoreError
from lancelot.store.database import Database
from lancelot.store.migrations import MIGRATIONS, Migration, migrate, schema_version


def test_threads_get_their_own_answers() -> None:
    database = Database()
    wrong: list[tuple[int, list]] = []

    def ask(value: int) -> None:
        for _ in range(100):
            found = database.query("SELECT ?, sum(i) FROM range(?) t(i)", [value, value])
            if found != [(value, value * (value - 1) // 2)]:
                wrong.append((value, found))

    threads = [threading.Thread(target=ask, args=(value,)) for value in range(2, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    database.close()
    assert wrong == []


def test_a_failed_transaction_leaves_nothing() -> None:
    database = Database()
    database.execute("CREATE TABLE t (i INTEGER PRIMARY KEY)")

    def twice() -> None:
        with database.transaction() as cursor:
            cursor.execute("INSERT INTO t VALUES (1)")
            cursor.execute("INSERT INTO t VALUES (1)")

    with pytest.raises(StoreError):
        twice()
    assert database.query("SELECT count(*) FROM t") == [(0,)]
    assert database.rows("SELECT 1 AS one") == [{"one": 1}]
    database.close()


def test_a_closed_database_says_so() -> None:
    database = Database()
    database.close()
    database.close()
    with pytest.raises(StoreError):
        database.query("SELECT 1")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    path = tmp_path / "x.duckdb"
    path.write_bytes(b"not a database" * 1000)
    with pytest.raises(StoreError) as refused:
        Database(path)
    assert refused.value.code == "database_damaged"


def test_the_file_is_private(tmp_path: Path) -> None:
    Database(tmp_path / "x.duckdb").close()
    assert (tmp_path / "x.duckdb").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("released", range(len(MIGRATIONS) + 1))
def test_every_released_schema_becomes_the_newest(tmp_path: Path, released: int) -> None:
    database = Database(tmp_path / "x.duckdb")
    if released:
        migrate(database, MIGRATIONS[:released])
    database.close()
    database = Database(tmp_path / "x.duckdb")
    assert migrate(database) == [step.number for step in MIGRATIONS[released:]]
    assert migrate(database) == []
    assert schema_version(database) == len(MIGRATIONS)
    tables = {name for (name,) in database.query("SELECT table_name FROM duckdb_tables()")}
    assert {"receipts", "journal_state", "exams", "outcomes", "documents", "usage_hourly"} <= tables
    database.close()


def test_steps_are_numbered_without_gaps() -> None:
    assert [step.number for step in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_a_step_that_fails_is_not_counted() -> None:
    database = Database()
    broken = (*MIGRATIONS, Migration(len(MIGRATIONS) + 1, "broken", "CREATE TABLE half (i INTEGER); SELECT nothing;"))
    with pytest.raises(StoreError):
        migrate(database, broken)
    assert schema_version(database) == len(MIGRATIONS)
    assert database.query("SELECT count(*) FROM duckdb_tables() WHERE table_name = 'half'") == [(0,)]
    database.close()


def test_a_newer_file_is_refused() -> None:
    database = Database()
    migrate(database, (*MIGRATIONS, Migration(len(MIGRATIONS) + 1, "future", "SELECT 1")))
    with pytest.raises(StoreError) as refused:
        migrate(database)
    assert refused.value.code == "database_too_new"
    database.close()

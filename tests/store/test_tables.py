"""The small tables keep what they were given, across a restart."""

from __future__ import annotations

from pathlib import Path

from lancelot.store.database import Database
from lancelot.store.migrations import migrate
from lancelot.store.tables import Documents, Exams, OutcomeLedger


def opened(path: Path) -> Database:
    database = Database(path / "x.duckdb")
    migrate(database)
    return database


def test_exams_show_the_newest_of_each_task(tmp_path: Path) -> None:
    database = opened(tmp_path)
    exams = Exams(database)
    exams.add("classify", 0.5, 120, model_id="m")
    exams.add("classify", 0.75, 120, model_id="m", adapter="a", data={"wrong": [3]})
    exams.add("redact", 1.0, 10)
    assert [(row["task"], row["score"]) for row in exams.latest()] == [("classify", 0.75), ("redact", 1.0)]
    assert exams.latest()[0]["data"] == {"wrong": [3]}
    assert [row["score"] for row in exams.history("classify")] == [0.75, 0.5]
    database.close()


def test_outcomes_are_counted_at_once_and_kept(tmp_path: Path) -> None:
    database = opened(tmp_path)
    outcomes = OutcomeLedger(database)
    for sufficed in (True, True, False):
        outcomes.record("code", "fast", sufficed)
    outcomes.save()
    database.close()
    database = opened(tmp_path)
    again = OutcomeLedger(database)
    assert again.counts() == {("code", "fast"): (2, 3)}
    assert again.outcomes() == {"code": {"fast": (2, 3)}}
    again.record("code", "fast", True)
    again.save()
    again.save()
    assert database.query("SELECT sufficed, total FROM outcomes") == [(3, 4)]
    database.close()


def test_documents(tmp_path: Path) -> None:
    database = opened(tmp_path)
    repairs = Documents(database, "repairs")
    repairs.put("a", {"step": 1})
    repairs.put("a", {"step": 2})
    repairs.put("b", {"step": 1})
    assert repairs.get("a") == {"step": 2}
    assert repairs.get("c") is None
    assert set(repairs.all()) == {"a", "b"}
    assert Documents(database, "other").all() == {}
    repairs.remove("a")
    assert repairs.get("a") is None
    database.close()

"""The database's shape, as numbered steps that are only ever added to.

Each step runs once, in its own transaction, together with its row in `schema_migrations`; a kill in between leaves the
step undone and it runs at the next start. A released step is never edited.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import NamedTuple

from lancelot.errors import StoreError
from lancelot.store.database import Database

__all__ = ["MIGRATIONS", "Migration", "migrate", "open_database", "schema_version"]


class Migration(NamedTuple):
    """One step: its number (1, 2, …), a name for people, and its statements."""

    number: int
    name: str
    sql: str


RECEIPTS = """
CREATE TABLE receipts (
    n BIGINT NOT NULL,
    id VARCHAR NOT NULL, request_id VARCHAR NOT NULL, parent_id VARCHAR,
    kind VARCHAR NOT NULL, host VARCHAR NOT NULL, time TIMESTAMP NOT NULL,
    key_id VARCHAR, conversation_id VARCHAR,
    task VARCHAR, lane VARCHAR, provider VARCHAR, model VARCHAR, attempt BIGINT,
    assessment JSON, reasons JSON, risk VARCHAR, complexity DOUBLE, deep_score DOUBLE,
    tokens_in BIGINT, tokens_out BIGINT, tokens_cached BIGINT, tokens_cache_write BIGINT, tokens_reasoning BIGINT,
    cost_usd DECIMAL(18,12), price_version VARCHAR,
    redaction_us BIGINT, decision_us BIGINT, provider_us BIGINT, first_token_us BIGINT, total_us BIGINT,
    status VARCHAR NOT NULL, finish_reason VARCHAR, error_code VARCHAR,
    redactions JSON, policy VARCHAR, sent_sha256 VARCHAR, sent_bytes BIGINT, egress VARCHAR,
    preview VARCHAR, data JSON
);
CREATE TABLE journal_state (loaded BIGINT NOT NULL);
INSERT INTO journal_state VALUES (0);
"""

SMALL_TABLES = """
CREATE TABLE exams (
    id VARCHAR PRIMARY KEY, time TIMESTAMP NOT NULL, model_id VARCHAR, adapter VARCHAR, task VARCHAR NOT NULL,
    score DOUBLE NOT NULL, items BIGINT NOT NULL, data JSON
);
CREATE TABLE outcomes (
    task VARCHAR NOT NULL, lane VARCHAR NOT NULL, sufficed BIGINT NOT NULL, total BIGINT NOT NULL,
    time TIMESTAMP NOT NULL, PRIMARY KEY (task, lane)
);
CREATE TABLE documents (
    collection VARCHAR NOT NULL, id VARCHAR NOT NULL, time TIMESTAMP NOT NULL, data JSON NOT NULL,
    PRIMARY KEY (collection, id)
);
"""

# Sums by hour, kept as receipts are loaded. Rows are parts: several may stand for one hour and group until they are
# merged; every query sums them. `unpriced` is what has no known cost: it is never counted as zero.
USAGE = """
CREATE TABLE usage_hourly (
    hour TIMESTAMP NOT NULL, kind VARCHAR NOT NULL, lane VARCHAR, provider VARCHAR, model VARCHAR, task VARCHAR,
    key_id VARCHAR, status VARCHAR NOT NULL,
    requests BIGINT NOT NULL, calls BIGINT NOT NULL,
    tokens_in BIGINT NOT NULL, tokens_out BIGINT NOT NULL, tokens_cached BIGINT NOT NULL,
    tokens_cache_write BIGINT NOT NULL, tokens_reasoning BIGINT NOT NULL,
    cost_usd DECIMAL(38,12) NOT NULL, priced_calls BIGINT NOT NULL,
    unpriced_calls BIGINT NOT NULL, unpriced_tokens BIGINT NOT NULL,
    timed_calls BIGINT NOT NULL, total_us BIGINT NOT NULL
);
CREATE TABLE latency_hourly (
    hour TIMESTAMP NOT NULL, kind VARCHAR NOT NULL, lane VARCHAR, model VARCHAR,
    bin INTEGER NOT NULL, calls BIGINT NOT NULL
);
ALTER TABLE journal_state ADD COLUMN rolled BIGINT DEFAULT 0;
ALTER TABLE journal_state ADD COLUMN settled_parts BIGINT DEFAULT 0;
ALTER TABLE journal_state ADD COLUMN pruned_before TIMESTAMP;
"""

# Histograms by hour for every group a page shows (the older one knew lanes and models only), and what attempts cost
# that another one had to follow. Receipts that are there are added up anew; pruned hours keep what they have.
SPREAD = """
CREATE TABLE spread_hourly (
    hour TIMESTAMP NOT NULL, measure VARCHAR NOT NULL, by_name VARCHAR NOT NULL, value VARCHAR,
    bin INTEGER NOT NULL, calls BIGINT NOT NULL, most BIGINT NOT NULL
);
ALTER TABLE usage_hourly ADD COLUMN replaced_calls BIGINT DEFAULT 0;
ALTER TABLE usage_hourly ADD COLUMN replaced_usd DECIMAL(38,12) DEFAULT 0;
INSERT INTO spread_hourly
    SELECT hour, 'total_us', by_name, value, bin, CAST(sum(calls) AS BIGINT),
        CAST(floor(power(2, (bin + 1) / 4)) AS BIGINT)
    FROM (
        SELECT hour, 'lane' AS by_name, lane AS value, bin, calls FROM latency_hourly
        UNION ALL SELECT hour, 'model', model, bin, calls FROM latency_hourly
    ) GROUP BY ALL;
DROP TABLE latency_hourly;
ALTER TABLE journal_state ADD COLUMN stale BOOLEAN DEFAULT FALSE;
UPDATE journal_state SET stale = EXISTS (SELECT 1 FROM receipts);
"""

MIGRATIONS = (
    Migration(1, "receipts", RECEIPTS),
    Migration(2, "small tables", SMALL_TABLES),
    Migration(3, "usage by hour", USAGE),
    Migration(4, "spread by hour", SPREAD),
)


def schema_version(database: Database) -> int:
    """The number of the newest step this file has seen; 0 for a new file."""
    database.execute(
        "CREATE TABLE IF NOT EXISTS schema_migrations "
        "(number INTEGER PRIMARY KEY, name VARCHAR NOT NULL, time TIMESTAMP NOT NULL)"
    )
    return int(database.query("SELECT coalesce(max(number), 0) FROM schema_migrations")[0][0])


def migrate(database: Database, steps: tuple[Migration, ...] = MIGRATIONS) -> list[int]:
    """Bring the file to the newest shape; returns the numbers of the steps that ran.

    Raises:
        StoreError: `code` database_too_new, when a newer Lancelot has written the file.
    """
    known = max(step.number for step in steps)
    seen = schema_version(database)
    if seen > known:
        raise StoreError(
            "The receipts database was written by a newer Lancelot.",
            code="database_too_new",
            hint="Use that version, or restore a backup made by this one.",
        )
    done = []
    for step in steps:
        if step.number <= seen:
            continue
        with database.transaction() as cursor:
            cursor.execute(step.sql)
            cursor.execute(
                "INSERT INTO schema_migrations VALUES (?, ?, now()::TIMESTAMP)",
                [step.number, step.name],
            )
        done.append(step.number)
    return done


def open_database(path: Path) -> tuple[Database, Path | None]:
    """The database, brought to the newest shape; a damaged file is moved aside and built anew from the journal."""
    moved = None
    try:
        database = Database(path)
    except StoreError as problem:
        if problem.code != "database_damaged":
            raise
        moved = path.with_name(f"{path.name}.damaged-{time.time_ns()}")
        path.rename(moved)
        path.with_name(f"{path.name}.wal").unlink(missing_ok=True)
        database = Database(path)
    try:
        migrate(database)
    except BaseException:
        database.close()
        raise
    return database, moved

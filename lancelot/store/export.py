"""Receipts as a file for other tools: Parquet, or CSV by the file's name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lancelot.errors import BadInput
from lancelot.files import Disk, as_store_error
from lancelot.store.database import Database
from lancelot.store.pages import ReceiptFilters
from lancelot.store.views import READABLE

__all__ = ["export"]


def export(database: Database, path: Path, filters: ReceiptFilters | None = None) -> dict[str, Any]:
    """Write matching receipts, oldest first, with readable columns; returns {"path", "receipts", "bytes"}.

    The file appears whole or not at all.

    Raises:
        BadInput: the name ends neither in .parquet nor in .csv, or its folder does not exist.
    """
    form = {".parquet": "FORMAT parquet, COMPRESSION zstd", ".csv": "FORMAT csv, HEADER"}.get(path.suffix.lower())
    if form is None:
        raise BadInput("Only .parquet and .csv can be written.", param="path", hint="End the name in .parquet.")
    if not path.parent.is_dir():
        raise BadInput("The folder of this file does not exist.", param="path", hint="Make it first.")
    where, parameters = (filters or ReceiptFilters()).where()
    temporary = path.with_name(f".{path.name}.tmp")
    quoted = str(temporary).replace("'", "''")
    with database.cursor() as cursor:
        count = cursor.execute(
            f"COPY (SELECT {READABLE} FROM receipts WHERE {where} ORDER BY n) TO '{quoted}' ({form})",  # noqa: S608
            parameters,
        ).fetchone()
    disk = Disk()
    try:
        with temporary.open("rb") as file:
            disk.fsync(file.fileno())
        disk.rename(temporary, path)
        disk.fsync_folder(path.parent)
    except OSError as problem:
        raise as_store_error(problem, path) from problem
    return {"path": str(path), "receipts": int(count[0]) if count else 0, "bytes": path.stat().st_size}

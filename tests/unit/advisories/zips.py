"""Small zips of advisories, built for one test each."""

import json
import zipfile
from pathlib import Path
from typing import Any


def advisory(
    id_: str, name: str, fixed: str = "", ecosystem: str = "PyPI", introduced: str = "0", **fields: Any
) -> dict[str, Any]:
    """Return an OSV document about one package; ``fixed`` empty: there is no mend."""
    events = [{"introduced": introduced}] + ([{"fixed": fixed}] if fixed else [])
    entry = {
        "package": {"ecosystem": ecosystem, "name": name},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
    }
    return {"id": id_, "modified": "2024-05-01T00:00:00Z", "affected": [entry], **fields}


def write_zip(path: Path, *documents: dict[str, Any] | bytes, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write a zip with one entry for each document."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for number, document in enumerate(documents):
            content = document if isinstance(document, bytes) else json.dumps(document).encode()
            archive.writestr(f"{number}.json", content)
    return path

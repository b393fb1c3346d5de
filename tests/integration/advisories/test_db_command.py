"""``pratique db``, as a person runs it; downloads come from a server on loopback."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from pratique.advisories import Database
from pratique.advisories.download import download
from pratique.cli import run
from pratique.errors import NetworkError, UsageError
from pratique.model import Package
from tests.unit.advisories.zips import advisory, write_zip


class Server(HTTPServer):
    """Serves what ``files`` holds; a path of ``redirects`` is redirected."""

    files: dict[str, bytes]
    redirects: dict[str, str]
    cut: int = 0
    """Bytes of each answer that never come."""

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        if self.path in self.server.redirects:
            self.send_response(302)
            self.send_header("Location", self.server.redirects[self.path])
            self.end_headers()
            return
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) - self.server.cut])

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
        del format, args


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.files, server.redirects = {}, {}
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRATIQUE_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state" / "advisories.db"


def holds(database: Path, rule: str, package: Package) -> bool:
    with Database.open(database) as opened:
        return rule in {finding.rule for finding in opened.match([package])}


def test_update_fetches_each_ecosystem(server: Server, database: Path, tmp_path: Path) -> None:
    for ecosystem in ("PyPI", "npm"):
        path = write_zip(tmp_path / "all.zip", advisory(f"A-{ecosystem}", "package", "2", ecosystem))
        server.files[f"/{ecosystem}/all.zip"] = path.read_bytes()
    assert run(["db", "update", "--source", server.base, "--ecosystem", "PyPI", "--ecosystem", "npm"]) == 0
    assert holds(database, "A-PyPI", Package("package", "1", "PyPI"))
    assert holds(database, "A-npm", Package("package", "1.0.0", "npm"))
    assert sorted(path.name for path in database.parent.iterdir()) == ["advisories.db", "advisories.db.lock"]


def test_names_of_ecosystems_are_quoted_in_addresses(server: Server, database: Path, tmp_path: Path) -> None:
    path = write_zip(tmp_path / "all.zip", advisory("A-1", "actions/checkout", "2", "GitHub Actions"))
    server.files["/GitHub%20Actions/all.zip"] = path.read_bytes()
    assert run(["db", "update", "--source", server.base + "/", "--ecosystem", "GitHub Actions"]) == 0
    assert holds(database, "A-1", Package("actions/checkout", "1", "GitHub Actions"))


@pytest.mark.parametrize("failure", ["missing", "refused", "cut", "not a zip"])
def test_failed_update_is_one_error_with_a_hint_and_the_old_database_stays(
    server: Server, database: Path, tmp_path: Path, failure: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = write_zip(tmp_path / "old.zip", advisory("A-OLD", "package", "2"))
    assert run(["db", "import", str(old)]) == 0
    capsys.readouterr()
    before = database.read_bytes()
    server.files["/PyPI/all.zip"] = old.read_bytes() if failure == "cut" else b"no zip"
    server.cut = 10 if failure == "cut" else 0
    base = "http://127.0.0.1:1" if failure == "refused" else server.base
    ecosystem = "Nowhere" if failure == "missing" else "PyPI"
    assert run(["db", "update", "--source", base, "--ecosystem", ecosystem]) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 2
    assert told[0].startswith("pratique: ")
    assert told[1].startswith("hint: ")
    assert database.read_bytes() == before
    assert sorted(path.name for path in database.parent.iterdir()) == ["advisories.db", "advisories.db.lock"]


def test_endless_redirects_and_endless_files_end(server: Server, tmp_path: Path) -> None:
    server.redirects["/a/all.zip"] = "/a/all.zip"
    server.files["/b/all.zip"] = b"x" * 5000
    with pytest.raises(NetworkError, match="redirect"):
        download(server.base, "a", tmp_path / "a", progress=lambda _: None)
    with pytest.raises(NetworkError, match="more than 1000 bytes"):
        download(server.base, "b", tmp_path / "b", progress=lambda _: None, max_bytes=1000)


def test_only_http_is_fetched(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not an address"):
        download("file:///etc", "passwd", tmp_path / "a", progress=lambda _: None)


def test_import_tells_what_it_took_and_what_was_broken(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_zip(tmp_path / "all.zip", advisory("A-1", "package", "2"), b"{")
    assert run(["db", "import", str(path)]) == 0
    told = capsys.readouterr()
    assert told.out == ""
    assert "PyPI: 1 advisories from all.zip, 1 entries broken:" in told.err
    assert "'1.json': not an OSV document" in told.err
    assert str(database) in told.err


def test_status_shows_ages_and_warns_of_old_data(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["db", "import", str(write_zip(tmp_path / "all.zip", advisory("A-1", "package", "2")))]) == 0
    capsys.readouterr()
    assert run(["db", "status"]) == 0
    told = capsys.readouterr()
    assert "PyPI" in told.out
    assert "days ago" in told.out
    assert "warning: older than 14 days: PyPI" in told.err
    assert database.exists()


def test_status_without_a_database_is_one_error_with_a_hint(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["db", "status"]) == 1
    assert f"no advisory database at {database}" in capsys.readouterr().err


def test_damaged_database_is_told_of_when_it_is_built_anew(
    database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database.parent.mkdir()
    database.write_bytes(b"rubbish" * 1000)
    assert run(["db", "import", str(write_zip(tmp_path / "all.zip", advisory("A-1", "package", "2")))]) == 0
    assert "nothing of it can be kept" in capsys.readouterr().err

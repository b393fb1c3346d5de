"""What Prometheus scrapes, from a real server on loopback."""

import asyncio
import re
import socket

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pratique.errors import HostError, UsageError
from pratique.exporters import parse_address, serve_metrics
from pratique.exporters.metrics import Metrics
from tests.unit.store.values import alert, decision, report


def filled() -> Metrics:
    metrics = Metrics()
    metrics.alert(alert())
    metrics.alert(alert())
    metrics.decision(decision())
    metrics.scan(report(), passed=True)
    metrics.message("ops", sent=False)
    metrics.status(containers=3, images=2, flows=9, lost=4)
    metrics.status(containers=3, images=2, flows=9, lost=5)
    return metrics


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    answer = await reader.read()
    writer.close()
    return answer


def test_counters_are_text_that_prometheus_reads() -> None:
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(filled().text().decode())
        for sample in family.samples
    }
    assert samples["pratique_alerts_total", "denied", "high", "net.egress"] == 2
    assert samples["pratique_decisions_total", "build.denied", "deny"] == 1
    assert samples["pratique_scans_total", "passed"] == 1
    assert samples["pratique_notifications_total", "failed", "ops"] == 1
    assert samples["pratique_events_lost_total",] == 5
    assert samples["pratique_containers",] == 3
    assert samples["pratique_up",] == 1


def test_metrics_are_served_and_nothing_else() -> None:
    metrics = filled()

    async def conversation() -> None:
        async with serve_metrics(("127.0.0.1", 0), metrics.text) as port:
            answer = await ask(port, b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\n\r\n")
            head, _, body = answer.partition(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4")
            assert body == metrics.text()
            assert int(re.search(rb"Content-Length: (\d+)", head)[1]) == len(body)  # type: ignore[index]
            assert (await ask(port, b"HEAD /healthz HTTP/1.0\r\n\r\n")).endswith(b"\r\n\r\n")
            assert (await ask(port, b"GET /healthz HTTP/1.1\r\n\r\n")).endswith(b"\r\n\r\nok\n")
            assert b" 404 " in await ask(port, b"GET /../../etc/passwd HTTP/1.1\r\n\r\n")
            assert b" 405 " in await ask(port, b"POST /metrics HTTP/1.1\r\n\r\n")
            assert b" 400 " in await ask(port, b"GET\r\n\r\n")
            assert await ask(port, b"GET /" + b"x" * 20_000) == b""

    asyncio.run(conversation())


def test_silent_readers_do_not_keep_others_out() -> None:
    async def conversation() -> bytes:
        async with serve_metrics(("127.0.0.1", 0), lambda: b"") as port:
            silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
            closed = await asyncio.gather(*(reader.read() for reader, _ in silent))
            assert set(closed) == {b""}
            for _, writer in silent:
                writer.close()
            return await ask(port, b"GET /healthz HTTP/1.1\r\n\r\n")

    assert asyncio.run(conversation()).endswith(b"ok\n")


def test_metrics_are_made_once_for_many_who_ask() -> None:
    made = 0

    def text() -> bytes:
        nonlocal made
        made += 1
        return b"x"

    async def conversation() -> None:
        async with serve_metrics(("127.0.0.1", 0), text) as port:
            for _ in range(10):
                assert (await ask(port, b"GET /metrics HTTP/1.1\r\n\r\n")).endswith(b"\r\n\r\nx")

    asyncio.run(conversation())
    assert made < 10


def test_address_that_is_taken_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = taken.getsockname()

        async def serve() -> None:
            async with serve_metrics(address, lambda: b""):
                pass

        with pytest.raises(HostError, match="metrics cannot be served at"):
            asyncio.run(serve())


@pytest.mark.parametrize("text", ["", "9470", "localhost:9470", "127.0.0.1:", "127.0.0.1:70000", "127.0.0.1:-1", "::1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_address(text)


def test_addresses() -> None:
    assert parse_address("127.0.0.1:9470") == ("127.0.0.1", 9470)
    assert parse_address("[::1]:1") == ("::1", 1)

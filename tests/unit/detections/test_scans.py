import tracemalloc

from hypothesis import given
from hypothesis import strategies as st

from pratique.detections import Detector
from pratique.detections.scans import ANY_PEERS, MAX_TRACKED, UNLISTED_PEERS, WINDOW_S, ScanWatch
from pratique.model import FlowVerdict, Protocol
from tests.unit.detections.events import SUBJECT, flow


def scan(watch: ScanWatch, addresses: list[str], *, at: float = 0.0, step: float = 0.01, who: str = "c") -> list[str]:
    seen = [watch.observe(who, flow(address, 22, at=at + number * step)) for number, address in enumerate(addresses)]
    return [network for network in seen if network]


def test_scan_is_told_once_for_each_portion() -> None:
    addresses = [f"10.0.{number // 250}.{number % 250}" for number in range(5 * UNLISTED_PEERS)]
    assert scan(ScanWatch(), addresses) == ["10.0.0.0/8"] * 5


def test_public_neighbourhood_is_a_24_and_ipv6_a_64() -> None:
    assert scan(ScanWatch(), [f"203.0.113.{host}" for host in range(UNLISTED_PEERS)]) == ["203.0.113.0/24"]
    assert scan(ScanWatch(), [f"2001:db8::{host:x}" for host in range(UNLISTED_PEERS)]) == ["2001:db8::/64"]
    assert scan(ScanWatch(), [f"::ffff:10.0.0.{host}" for host in range(UNLISTED_PEERS)]) == ["10.0.0.0/8"]


def test_scanners_are_counted_apart() -> None:
    watch = ScanWatch()
    half = UNLISTED_PEERS // 2
    assert scan(watch, [f"10.0.0.{host}" for host in range(half)], who="a") == []
    assert scan(watch, [f"10.0.1.{host}" for host in range(half)], who="b") == []
    assert scan(watch, [f"10.0.2.{host}" for host in range(half)], who="a") == ["10.0.0.0/8"]


def test_slow_traffic_is_no_scan() -> None:
    assert scan(ScanWatch(), [f"10.0.0.{host}" for host in range(100)], step=WINDOW_S / (UNLISTED_PEERS - 2)) == []


def test_loopback_multicast_and_nonsense_are_nobodys_neighbours() -> None:
    for addresses in ([f"127.0.0.{n}" for n in range(50)], [f"239.0.0.{n}" for n in range(50)], ["x", ""] * 50):
        assert scan(ScanWatch(), addresses) == []


def test_allowed_peers_count_only_in_great_number() -> None:
    watch = ScanWatch()
    seen = [
        watch.observe("c", flow(f"10.0.0.{host}", 80, verdict=FlowVerdict.ALLOWED, at=0.0)) for host in range(ANY_PEERS)
    ]
    assert [bool(network) for network in seen] == [False] * (ANY_PEERS - 1) + [True]


def test_memory_is_bounded_under_a_flood() -> None:
    watch = ScanWatch()
    tracemalloc.start()
    for number in range(20_000):
        address = f"{1 + number % 200}.{number % 251}.{number // 251 % 251}.1"
        watch.observe(f"c{number % 5000}", flow(address, number % 65536, at=0.0, protocol=Protocol.UDP))
    used, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(watch._peers) <= MAX_TRACKED
    assert used < 20 << 20


@given(st.lists(st.tuples(st.floats(0, 1e9), st.ip_addresses(), st.integers(0, 65535)), max_size=200))
def test_no_order_of_times_and_addresses_breaks_it(events: list[tuple[float, object, int]]) -> None:
    watch = ScanWatch()
    for at, address, port in events:
        watch.observe("c", flow(str(address), port, at=at))
    assert all(len(peers) < ANY_PEERS for peers in watch._peers.values())


def test_a_scan_of_a_subnet_is_a_few_alerts_and_one_that_counts() -> None:
    detector = Detector()
    alerts = [alert for host in range(1, 255) for alert in detector.observe(flow(f"10.0.0.{host}", 22), SUBJECT)]
    egress = [alert for alert in alerts if alert.rule == "net.egress"]
    scans = {alert.key for alert in alerts if alert.rule == "net.scan"}
    assert len(egress) == UNLISTED_PEERS
    assert len(scans) == 1


def test_what_is_sent_elsewhere_during_a_scan_is_told_by_itself() -> None:
    detector = Detector()
    for host in range(1, 255):
        detector.observe(flow(f"10.0.0.{host}", 22), SUBJECT)
    assert [alert.rule for alert in detector.observe(flow("198.51.100.7", 443), SUBJECT)] == ["net.egress"]
    assert [alert.rule for alert in detector.observe(flow("10.9.9.9", 443), SUBJECT)] == ["net.egress"]


def test_after_a_pause_a_refusal_is_told_by_itself_again() -> None:
    detector = Detector()
    for host in range(1, 255):
        detector.observe(flow(f"10.0.0.{host}", 22, at=0.0), SUBJECT)
    later = flow("10.0.0.7", 22, at=WINDOW_S + 1)
    assert [alert.rule for alert in detector.observe(later, SUBJECT)] == ["net.egress"]

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pratique.model import FlowVerdict, Severity
from pratique.store import Store
from tests.stores import Place
from tests.unit.store.values import CHECKOUT, REDIS, alert, flow


def test_counters_of_one_flow_add_up(store: Store) -> None:
    store.add_flows([flow(at=100.0, packets=2), flow(at=90.0, packets=3)])
    store.add_flows([flow(at=110.0, command="")])
    (record,) = store.flows()
    assert (record.flow.packets, record.flow.bytes) == (6, 360)
    assert (record.flow.first_seen, record.flow.last_seen) == (90.0, 110.0)
    assert record.flow.command == "python3"


def test_flow_with_another_verdict_is_another_flow(store: Store) -> None:
    store.add_flows([flow(), flow(verdict=FlowVerdict.DENIED)])
    assert len(store.flows()) == 2
    (denied,) = store.flows(verdicts=[FlowVerdict.DENIED])
    assert denied.flow.verdict is FlowVerdict.DENIED


def test_flows_are_chosen_by_time_image_id_and_number(store: Store) -> None:
    store.add_flows([flow(port=port, at=float(port)) for port in range(1, 11)])
    store.add_flows([flow(port=99, at=5.0, image=REDIS.id)])
    assert [record.flow.port for record in store.flows(since=8.0)] == [8, 9, 10]
    assert [record.flow.port for record in store.flows(limit=2)] == [10, 99]
    assert [record.flow.port for record in store.flows(images=[REDIS.id])] == [99]
    assert [record.flow.port for record in store.flows(images=[])] == []
    last = store.flows()[-2].id
    assert [record.flow.port for record in store.flows(after_id=last)] == [99]


def test_counting_a_known_flow_gives_it_no_new_id(store: Store) -> None:
    store.add_flows([flow()])
    last = store.flows()[-1].id
    store.add_flows([flow(at=200.0)])
    assert store.flows(after_id=last) == []


def test_repetitions_within_a_minute_of_the_first_are_one_row(store: Store) -> None:
    store.add_alerts([alert(at=100.0), alert(at=130.0), alert(at=159.9), alert(at=160.0), alert("other", at=100.0)])
    rows = [(record.alert.key, record.count, record.alert.at, record.last_at) for record in store.alerts()]
    assert rows == [("k", 3, 100.0, 159.9), ("k", 1, 160.0, 160.0), ("other", 1, 100.0, 100.0)]


def test_alerts_without_a_key_are_never_counted_together(store: Store) -> None:
    store.add_alerts([alert(""), alert("")])
    assert [record.count for record in store.alerts()] == [1, 1]


def test_alert_comes_back_whole(store: Store) -> None:
    store.add_alerts([alert()])
    assert store.alerts()[0].alert == alert()


def test_alerts_are_chosen_by_severity_image_and_last_time(store: Store) -> None:
    store.add_alerts([alert("a", severity=Severity.LOW), alert("b", severity=Severity.CRITICAL, image=REDIS.id)])
    store.add_alerts([alert("a", at=150.0, severity=Severity.LOW)])
    assert [record.alert.key for record in store.alerts(at_least=Severity.HIGH)] == ["b"]
    assert [record.alert.key for record in store.alerts(images=[CHECKOUT.id])] == ["a"]
    assert [record.alert.key for record in store.alerts(since=120.0)] == ["a"]


def test_old_flows_and_alerts_are_forgotten(store: Store) -> None:
    day = 86_400.0
    store.add_flows([flow(port=1, at=0.0), flow(port=2, at=20 * day)])
    store.add_alerts([alert("a", at=0.0), alert("b", at=20 * day)])
    assert store.prune(31 * day) == 2
    assert [record.flow.port for record in store.flows()] == [2]
    assert [record.alert.key for record in store.alerts()] == ["b"]
    assert store.prune(31 * day, retention_days=5) == 2


def test_oldest_flows_are_forgotten_beyond_the_bound(store: Store) -> None:
    store.add_flows([flow(port=port, at=float(port)) for port in range(1, 11)])
    assert store.prune(10.0, max_rows=3) == 7
    assert [record.flow.port for record in store.flows()] == [8, 9, 10]


def test_ids_are_never_used_again_so_that_following_misses_nothing(store: Store) -> None:
    store.add_flows([flow(port=1, at=0.0)])
    last = store.flows()[-1].id
    store.prune(1e9)
    store.add_flows([flow(port=2, at=1e9)])
    assert [record.flow.port for record in store.flows(after_id=last)] == [2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 9)), max_size=30))
def test_flow_counters_equal_the_sum_of_what_was_added(store: Store, added: list[tuple[int, int]]) -> None:
    before = {record.flow.port: record.flow.packets for record in store.flows()}
    store.add_flows(flow(port=port, packets=packets) for port, packets in added)
    for port, packets in added:
        before[port] = before.get(port, 0) + packets
    assert {record.flow.port: record.flow.packets for record in store.flows()} == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["a", "b", ""]), st.integers(0, 300)), max_size=12), st.integers(1, 12))
def test_alerts_are_counted_alike_however_they_are_batched(
    new_place: Place, given_alerts: list[tuple[str, int]], size: int
) -> None:
    told = [alert(key, at=float(at)) for key, at in given_alerts]
    results = []
    for step in (1, size):
        with Store.open(new_place()) as store:
            for start in range(0, len(told), step):
                store.add_alerts(told[start : start + step])
            results.append(store.alerts())
    assert results[0] == results[1]
    assert sum(record.count for record in results[0]) == len(told)


def test_more_alerts_than_one_statement_takes_are_counted(store: Store) -> None:
    many = [alert(f"key {number}") for number in range(1500)]
    store.add_alerts(many)
    store.add_alerts(many)
    assert {record.count for record in store.alerts()} == {2}
    assert len(store.alerts()) == 1500


def test_counters_larger_than_a_column_are_cut_to_what_it_holds(store: Store) -> None:
    store.add_flows([flow(packets=2**64)])
    assert store.flows()[0].flow.packets == 2**62

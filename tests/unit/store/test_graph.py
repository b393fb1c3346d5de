from msgspec.structs import replace

from pratique.inventory import INTERNET, Service, ServiceKind
from pratique.model import Container, Direction, Flow, FlowVerdict, ImageId, Network, Protocol, PublishedPort
from pratique.store import Store
from pratique.store.graph import MAX_PORTS


def compose(name: str) -> Service:
    return Service(ServiceKind.COMPOSE, f"shop/{name}")


def container(name: str, address: str, *, number: int = 1, published: tuple[PublishedPort, ...] = ()) -> Container:
    return Container(
        id=f"{name}-{number}".encode().hex().ljust(64, "0")[:64],
        name=f"{name}-{number}",
        image=ImageId("sha256:" + name.encode().hex().ljust(64, "0")[:64]),
        running=True,
        addresses=(address,),
        labels={"com.docker.compose.project": "shop", "com.docker.compose.service": name},
        published=published,
        networks=(Network("shop_default", ("172.18.0.1",)),),
    )


WEB = container("web", "172.18.0.2", published=(PublishedPort("0.0.0.0", 8080, Protocol.TCP, 80),))
CART = container("cart", "172.18.0.3")
REDIS = container("redis", "172.18.0.4")
MINER = container("miner", "172.18.0.5")


def flow(
    source: Container,
    address: str,
    port: int = 80,
    *,
    at: float = 100.0,
    verdict: FlowVerdict = FlowVerdict.ALLOWED,
    direction: Direction = Direction.EGRESS,
) -> Flow:
    return Flow(source.id, source.image, direction, Protocol.TCP, address, port, verdict, 2, 120, at, at, "sh")


def put(store: Store, *containers: Container, at: float = 10.0) -> None:
    for one in containers:
        store.put_container(one, "unlisted", True, at)


def edges(store: Store, since: float = 0.0) -> set[tuple[str, str, int, str]]:
    found = store.graph.service_map(since).edges
    return {(edge.source.name, edge.target.name, edge.port, edge.verdict.value) for edge in found}


def test_flow_to_the_address_of_a_container_is_an_edge_between_their_services(store: Store) -> None:
    put(store, WEB, CART)
    store.add_flows([flow(WEB, "172.18.0.3", 9000), flow(WEB, "172.18.0.3", 9000, at=110.0)])
    store.add_flows([flow(WEB, "172.18.0.3", 9000, at=90.0)])
    (edge,) = store.graph.service_map().edges
    assert (edge.source, edge.target, edge.port) == (compose("web"), compose("cart"), 9000)
    assert (edge.packets, edge.bytes, edge.first_seen, edge.last_seen) == (6, 360, 90.0, 110.0)
    assert edge.image == WEB.image


def test_flow_seen_at_both_ends_counts_once(store: Store) -> None:
    put(store, WEB, CART)
    store.add_flows([flow(WEB, "172.18.0.3", 9000), flow(CART, "172.18.0.2", 9000, direction=Direction.INGRESS)])
    (edge,) = store.graph.service_map().edges
    assert edge.packets == 2


def test_published_port_of_the_host_leads_to_the_container_behind_it(store: Store) -> None:
    put(store, WEB, CART)
    store.graph.put_host_addresses(["192.168.1.10"], 10.0)
    store.add_flows([flow(CART, "172.18.0.1", 8080), flow(CART, "192.168.1.10", 8080), flow(CART, "172.18.0.1", 22)])
    assert edges(store) == {("shop/cart", "shop/web", 8080, "allowed"), ("shop/cart", "this host", 22, "allowed")}


def test_port_published_on_one_address_is_not_reached_by_another(store: Store) -> None:
    put(store, replace(WEB, published=(PublishedPort("192.168.1.10", 8080, Protocol.TCP, 80),)), CART)
    store.graph.put_host_addresses(["192.168.1.10"], 10.0)
    store.add_flows([flow(CART, "172.18.0.1", 8080), flow(CART, "192.168.1.10", 8080)])
    assert edges(store) == {
        ("shop/cart", "shop/web", 8080, "allowed"),
        ("shop/cart", "this host", 8080, "allowed"),
    }


def test_outsiders_are_told_by_network_and_the_internet_is_one(store: Store) -> None:
    put(store, WEB)
    store.add_flows([flow(WEB, "9.9.9.9", 53), flow(WEB, "1.1.1.1", 53), flow(WEB, "10.1.2.3", 443)])
    store.add_flows([flow(WEB, "127.0.0.11", 53), flow(WEB, "2620:fe::fe", 53), flow(WEB, "nonsense", 1)])
    store.add_flows([flow(WEB, "8.8.4.4", 80, direction=Direction.INGRESS)])
    assert edges(store) == {
        ("shop/web", "internet", 53, "allowed"),
        ("shop/web", "10.1.2.0/24", 443, "allowed"),
        ("internet", "shop/web", 80, "allowed"),
    }


def test_refused_traffic_is_an_edge_of_its_own_and_no_dependency(store: Store) -> None:
    put(store, MINER, REDIS, WEB)
    store.add_flows([flow(MINER, "172.18.0.4", 6379, verdict=FlowVerdict.DENIED), flow(WEB, "172.18.0.4", 6379)])
    assert edges(store) == {
        ("shop/miner", "shop/redis", 6379, "denied"),
        ("shop/web", "shop/redis", 6379, "allowed"),
    }
    order = store.graph.order([compose("web"), compose("miner"), compose("redis")])
    assert order.index([compose("redis")]) < order.index([compose("web")])


def test_address_that_was_given_to_another_container_means_the_one_that_had_it_then(store: Store) -> None:
    put(store, WEB, CART)
    store.container_gone(CART.id, 200.0)
    put(store, container("redis", "172.18.0.3"), at=300.0)
    store.add_flows([flow(WEB, "172.18.0.3", 9000, at=100.0), flow(WEB, "172.18.0.3", 6379, at=400.0)])
    assert edges(store) == {
        ("shop/web", "shop/cart", 9000, "allowed"),
        ("shop/web", "shop/redis", 6379, "allowed"),
    }


def test_flow_of_a_container_that_is_gone_already_is_still_its_services(store: Store) -> None:
    put(store, WEB, CART)
    store.container_gone(WEB.id, 101.0)
    store.add_flows([flow(WEB, "172.18.0.3", 9000, at=100.0)])
    assert edges(store) == {("shop/web", "shop/cart", 9000, "allowed")}


def test_flows_of_build_steps_make_no_edge(store: Store) -> None:
    put(store, CART)
    store.add_flows(
        [replace(flow(WEB, "172.18.0.3"), container="buildkit/x"), replace(flow(WEB, "1.1.1.1"), container="")]
    )
    assert edges(store) == set()


def test_edges_and_addresses_are_forgotten_with_the_flows_that_made_them(store: Store) -> None:
    put(store, WEB, CART, REDIS)
    store.container_gone(CART.id, 150.0)
    store.add_flows([flow(WEB, "172.18.0.3", 9000, at=100.0), flow(WEB, "172.18.0.4", 6379, at=500_000.0)])
    store.prune(600_000.0, retention_days=5)
    assert edges(store) == {("shop/web", "shop/redis", 6379, "allowed")}
    store.add_flows([flow(WEB, "172.18.0.3", 9000, at=100.0)])
    assert ("shop/web", "172.18.0.0/24", 9000, "allowed") in edges(store)


def test_services_in_a_circle_are_one_group_of_the_order(store: Store) -> None:
    put(store, WEB, CART, REDIS)
    store.add_flows([flow(WEB, "172.18.0.3"), flow(CART, "172.18.0.2"), flow(CART, "172.18.0.4", 6379)])
    stranger = compose("unknown")
    order = store.graph.order([compose("web"), compose("cart"), compose("redis"), stranger])
    assert order == [[compose("redis")], [compose("web"), compose("cart")], [stranger]]


def test_map_counts_containers_and_forgets_those_that_are_gone(store: Store) -> None:
    put(store, WEB, CART, container("cart", "172.18.0.9", number=2))
    store.put_container(replace(WEB, running=False), "unlisted", True, 20.0)
    store.container_gone(CART.id, 30.0)
    nodes = {
        node.service.name: (node.containers, node.running, node.exposed) for node in store.graph.service_map().nodes
    }
    assert nodes == {"shop/web": (1, 0, 1), "shop/cart": (1, 1, 0)}


def test_scan_of_ports_leaves_room_for_other_edges(store: Store) -> None:
    put(store, WEB, CART, REDIS)
    store.add_flows([flow(CART, "172.18.0.4", 6379, at=10.0), flow(WEB, "172.18.0.3", 9000, at=11.0)])
    denied = [replace(flow(WEB, "172.18.0.3", port, at=100.0), verdict=FlowVerdict.DENIED) for port in range(1, 500)]
    store.add_flows(denied)
    drawn = store.graph.service_map()
    assert {("shop/cart", "shop/redis", 6379, "allowed"), ("shop/web", "shop/cart", 9000, "allowed")} < edges(store)
    assert (len(drawn.edges), drawn.edges_omitted) == (2 + MAX_PORTS, 499 - MAX_PORTS)


def test_map_keeps_the_nodes_with_the_newest_traffic(store: Store) -> None:
    put(store, WEB, CART, REDIS)
    store.add_flows([flow(WEB, "1.1.1.1", at=100.0), flow(CART, "172.18.0.4", 6379, at=200.0)])
    drawn = store.graph.service_map(limit=2)
    assert [node.service for node in drawn.nodes] == [compose("cart"), compose("redis")]
    assert (len(drawn.edges), drawn.omitted) == (1, 2)
    assert edges(store, since=150.0) == {("shop/cart", "shop/redis", 6379, "allowed")}
    assert INTERNET in {node.service for node in store.graph.service_map().nodes}

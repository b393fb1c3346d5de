"""Counts that are kept as things change equal what counting anew gives; an older store is taken apart once."""

from collections import Counter
from pathlib import Path

from alembic import command
from alembic.config import Config
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from sqlalchemy import create_engine, select

from pratique.inventory import is_exposed, service_of
from pratique.model import Container, ImageId, Network
from pratique.pipelines.blast import blast_radius
from pratique.store import Store
from pratique.store.database import _MIGRATIONS
from pratique.store.encoding import compress, pack
from pratique.store.schema import CONTAINERS, IMAGES, REPORTS
from pratique.store.tables import PLACEMENTS, PRESENT
from tests.stores import Place
from tests.unit.inventory.town import CART1, HOUSES, _report, flaw, openssl

STEPS = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from(["image a", "image b"]), st.booleans(), st.booleans(), st.booleans()),
    max_size=25,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(STEPS)
def test_counts_by_image_and_service_are_what_counting_the_containers_gives(
    new_place: Place, steps: list[tuple[int, str, bool, bool, bool]]
) -> None:
    there: dict[str, Container] = {}
    with Store.open(new_place()) as store:
        for at, (number, image, running, exposed, goes) in enumerate(steps):
            identity = str(number) * 64
            if goes:
                there.pop(identity, None)
                store.container_gone(identity, float(at))
                continue
            networks = (Network("host" if exposed else "bridge"),)
            one = Container(identity, "n", ImageId(image), image, running=running, networks=networks)
            there[identity] = one
            store.put_container(one, "p", True, float(at))
        with store._database.read() as connection:
            counts = {tuple(row) for row in connection.execute(select(PLACEMENTS)) if row.present}
            rows = connection.execute(select(PRESENT)).all()
    assert {row.container for row in rows} == set(there)
    present = Counter((row.image, row.service) for row in rows)
    assert {(image, service): count for image, service, count, *_ in counts} == dict(present)
    assert sum(row[3] for row in counts) == sum(one.running for one in there.values())
    assert sum(row[4] for row in counts) == sum(is_exposed(one) for one in there.values())
    assert len({service_of(one) for one in there.values()}) == len({row.service for row in rows})


def test_store_of_an_older_program_is_taken_apart_when_it_is_upgraded(tmp_path: Path) -> None:
    path = tmp_path / "pratique.db"
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        report = _report(CART1, openssl("3.0.7-1", 0), flaw("3.0.7-1"))
        house = replace(HOUSES["cart-1"], published=(), networks=())
        connection.execute(IMAGES.insert().values(id=CART1.id, identity=pack(CART1), first_seen=1.0, last_seen=1.0))
        counts = dict.fromkeys(
            ("packages", "malware", "secrets", "misconfigurations", "critical", "high", "medium", "low", "unread"), 0
        )
        connection.execute(REPORTS.insert().values(image=CART1.id, scanned_at=1.0, document=compress(report), **counts))
        connection.execute(
            CONTAINERS.insert().values(
                id=house.id, image=CART1.id, policy="p", admitted=True, first_seen=5.0, last_seen=5.0, gone_at=None,
                document=pack(house),
            )
        )  # fmt: skip
    engine.dispose()
    with Store.open(path) as store:
        (found,) = blast_radius(store, "CVE-2023-0286").containers
        assert (found.name, found.since) == ("cart-1", 5.0)
        assert store.image_ids("shop/cart:1") == (CART1.id,)

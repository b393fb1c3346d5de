"""A blast radius as text; what strangers named is text in every format."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from pratique.inventory import (
    AffectedContainer,
    AffectedImage,
    AffectedService,
    BlastRadius,
    Carried,
    Dependant,
    Exposure,
    Loaded,
    Meaning,
    Service,
    ServiceEdge,
    ServiceKind,
    Threat,
    Totals,
    Unknown,
    assess,
)
from pratique.model import FlowVerdict, Protocol, Severity
from pratique.report.blast import BlastFormat, render_blast
from pratique.report.layout import layered

THREAT = Threat(Severity.HIGH, kev=True, epss=0.25)
SVG = "{http://www.w3.org/2000/svg}"


def service(name: str) -> Service:
    return Service(ServiceKind.COMPOSE, name)


def radius(name: str = "shop/cart") -> BlastRadius:
    cart, front = service(name), service("shop/front")
    risk = assess(THREAT, Loaded.YES, Exposure.THROUGH, 1)
    image = "sha256:" + "a" * 64
    return BlastRadius(
        question="CVE-2023-0286",
        meaning=Meaning.VULNERABILITY,
        at=1_790_000_000.0,
        threat=THREAT,
        names=("CVE-2023-0286",),
        totals=Totals(images=1, containers=3, running=2, exposed=0, services=1, dependants=1),
        not_scanned=Unknown(2, 1),
        images=(
            AffectedImage(
                image, name, THREAT, 3, (Carried("libssl3 3.0.7", "sha256:" + "b" * 64, 0, "p", "CVE", "3.1"),)
            ),
        ),
        containers=(
            AffectedContainer(
                "c" * 64, name, "", cart, image, name, 1_790_000_000.0, True, Exposure.THROUGH, Loaded.YES, risk
            ),
        ),
        services=(
            AffectedService(
                cart,
                3,
                2,
                0,
                1,
                1_790_000_000.0,
                THREAT,
                Exposure.THROUGH,
                (front, cart),
                (front,),
                1,
                Loaded.YES,
                risk,
            ),
        ),
        dependants=(Dependant(front, (front, cart)),),
        edges=(ServiceEdge(front, cart, Protocol.TCP, 80, FlowVerdict.ALLOWED, 1, 60, 1.0, 2.0),),
    )


def test_table_tells_who_carries_it_what_is_not_known_and_how_it_was_ranked() -> None:
    text = render_blast(radius(), BlastFormat.TABLE)
    assert "severity high, exploited in the wild (KEV), EPSS 0.25" in text
    assert "not scanned   2 images with 1 container: nobody knows" in text
    assert "shop/front → shop/cart" in text
    assert "libssl3 3.0.7" in text
    assert "2 more containers" in text
    assert "risk: severity (critical 40" in text


def test_nothing_found_is_said_and_is_not_the_same_as_not_known() -> None:
    nothing = BlastRadius("x", None, 1.0, Threat(Severity.UNKNOWN), (), Totals(), Unknown(1, 0))
    text = render_blast(nothing, BlastFormat.TABLE)
    assert text.startswith("x: nothing has this name, no package, image or container\n")
    assert "not scanned   1 image with 0 containers" in text
    clean = replace(nothing, meaning=Meaning.VULNERABILITY, not_scanned=Unknown())
    assert render_blast(clean, BlastFormat.TABLE) == "x: no image that was looked into carries this vulnerability\n"


def test_json_is_the_document_with_its_version_and_scores() -> None:
    document = json.loads(render_blast(radius(), BlastFormat.JSON))
    assert document["version"] == 1
    assert document["services"][0]["risk"]["score"] == radius().services[0].risk.score
    assert document["services"][0]["service"] == {"kind": "compose", "name": "shop/cart"}
    assert document["not_scanned"] == {"images": 2, "containers": 1}


def test_svg_is_drawn_with_a_box_for_each_service_and_a_line_for_each_edge() -> None:
    drawn = ET.fromstring(render_blast(radius(), BlastFormat.SVG))
    assert len(drawn.findall(f".//{SVG}rect")) == 2
    assert [line.findtext(f"{SVG}title") for line in drawn.findall(f"{SVG}path")] == ["shop/front → shop/cart: 80/tcp"]


@pytest.mark.parametrize("form", list(BlastFormat))
@given(name=st.text(max_size=60))
def test_name_of_a_stranger_stays_text(form: BlastFormat, name: str) -> None:
    text = render_blast(radius(name), form)
    text.encode()
    if form is BlastFormat.SVG:
        drawn = ET.fromstring(text)
        assert {element.tag for element in drawn.iter()} <= {
            SVG + tag for tag in ("svg", "defs", "marker", "path", "text", "g", "title", "rect")
        }
    if form is BlastFormat.JSON:
        json.loads(text)
    if form is BlastFormat.TABLE:
        assert all(line.isprintable() for line in text.splitlines())


def test_quote_in_a_name_does_not_end_a_string_of_dot() -> None:
    text = render_blast(radius('a"]; evil [label="\\'), BlastFormat.DOT)
    assert 'label="a\\"]; evil [label=\\"\\\\\\n3 containers' in text


@given(
    st.integers(0, 8).flatmap(lambda size: st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=3 * size))
)
def test_layout_places_every_node_once_and_leads_edges_to_the_right_where_there_is_no_circle(
    edges: list[tuple[int, int]],
) -> None:
    forward = [(min(pair), max(pair)) for pair in edges]
    for pairs in (edges, forward):
        columns = layered(range(9), pairs)
        assert sorted(node for column in columns for node in column) == list(range(9))
    place = places(layered(range(9), forward))
    assert all(place[source] < place[target] for source, target in forward if source != target)


def places(columns: Sequence[Sequence[int]]) -> dict[int, int]:
    return {node: number for number, column in enumerate(columns) for node in column}

"""Policy documents of every shape that is valid."""

from hypothesis import strategies as st

from pratique import detections
from pratique.model import DriftMode, EgressMode, Protocol, Severity
from pratique.policy import (
    Access,
    Admission,
    Allow,
    Api,
    Builds,
    Detonated,
    Document,
    Gate,
    ImagePolicy,
    Inherit,
    Permit,
    Reaction,
    Require,
    Respond,
    Unlisted,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
NETWORK = st.one_of(
    st.ip_addresses().filter(lambda ip: ip.version == 4 or ip.ipv4_mapped is None).map(str),
    st.ip_addresses(v=4).map(lambda address: f"{address}/32"),
    st.sampled_from(["10.0.0.0/8", "::/0", "0.0.0.0/0", "fd00::/8", "1:2:3:4:5:6:7:8", "::1"]),
)
ACCESS = st.sampled_from(Access)
RULE = st.one_of(
    st.builds(Allow, to=NETWORK, note=TEXT),
    st.builds(Allow, to=NETWORK, port=st.integers(0, 65535), protocol=st.sampled_from(Protocol), note=TEXT),
)
RULES = st.lists(RULE, max_size=4).map(tuple)
RESPOND = st.builds(
    Respond,
    when=st.sampled_from([*detections.RULES, *Severity]),
    do=st.lists(st.sampled_from(Reaction), min_size=1, unique=True).map(tuple),
)


@st.composite
def documents(draw: st.DrawFn) -> Document:
    numbers = draw(st.lists(st.integers(0, 2**256 - 1), unique=True, max_size=6))
    images = []
    while numbers:
        taken = [numbers.pop() for _ in range(draw(st.integers(1, len(numbers))))]
        images.append(
            ImagePolicy(
                name=draw(TEXT),
                ids=tuple(f"sha256:{number:064x}" for number in taken),
                egress=draw(st.sampled_from(EgressMode)),
                drift=draw(st.sampled_from(DriftMode)),
                allow=draw(RULES),
                permit=tuple(draw(st.lists(st.sampled_from(Permit), unique=True, max_size=3))),
                allow_changed_metadata=draw(st.booleans()),
            )
        )
    return Document(
        builds=draw(st.sampled_from(Builds)),
        admission=Admission(
            fail_on=tuple(draw(st.lists(st.sampled_from(Gate), unique=True))),
            scan_deadline_s=draw(st.floats(0.1, 600)),
            incomplete=draw(ACCESS),
            require=Require(draw(st.sampled_from([None, *Detonated]))),
            detonate_for_s=draw(st.floats(1, 600)),
            detonation_deadline_s=draw(st.floats(0.1, 600)),
        ),
        api=draw(st.builds(Api, *[ACCESS] * 6)),
        unlisted=Unlisted(
            egress=draw(st.sampled_from(EgressMode)),
            drift=draw(st.sampled_from(DriftMode)),
            allow=draw(RULES),
            inherit=draw(st.sampled_from(Inherit)),
        ),
        respond=tuple(draw(st.lists(RESPOND, max_size=3))),
        images=tuple(images),
    )

"""Values that the tests of the store put in."""

from pratique.model import (
    Action,
    Alert,
    Container,
    Decision,
    Direction,
    Finding,
    FindingKind,
    Flow,
    FlowVerdict,
    ImageId,
    ImageIdentity,
    Protocol,
    Report,
    Severity,
    Verdict,
)

CHECKOUT = ImageIdentity(ImageId("sha256:" + "a" * 64), references=("shop/checkout:1",), layers=("sha256:" + "1" * 64,))
REDIS = ImageIdentity(ImageId("sha256:" + "b" * 64), references=("shop/redis:latest",))
CONTAINER = Container(id="c" * 64, name="checkout-1", image=CHECKOUT.id, running=True)


def finding(kind: FindingKind = FindingKind.MALWARE, severity: Severity = Severity.HIGH) -> Finding:
    return Finding(kind, "rule", severity, "title")


def report(*findings: Finding, at: float = 100.0, image: ImageIdentity = CHECKOUT) -> Report:
    return Report(image, scanned_at=at, duration_s=1.0, findings=findings)


def flow(
    address: str = "10.0.0.2",
    port: int = 6379,
    *,
    at: float = 100.0,
    verdict: FlowVerdict = FlowVerdict.ALLOWED,
    image: str = CHECKOUT.id,
    packets: int = 1,
    command: str = "python3",
) -> Flow:
    return Flow(
        container=CONTAINER.id,
        image=image,
        direction=Direction.EGRESS,
        protocol=Protocol.TCP,
        address=address,
        port=port,
        verdict=verdict,
        packets=packets,
        bytes=60 * packets,
        first_seen=at,
        last_seen=at,
        command=command,
    )


def alert(key: str = "k", *, at: float = 100.0, severity: Severity = Severity.HIGH, image: str = CHECKOUT.id) -> Alert:
    return Alert(
        at=at,
        rule="net.egress",
        severity=severity,
        title="t",
        action=Action.DENIED,
        image=image,
        evidence={"address": "1.2.3.4"},
        key=key,
    )


def decision(number: int = 0, *, at: float = 100.0, image: str = "") -> Decision:
    return Decision(
        at=at, verdict=Verdict.DENY, rule="build.denied", subject=f"build {number}", reason="policy", image=image
    )

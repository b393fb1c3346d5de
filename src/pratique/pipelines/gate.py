"""One question for a pipeline: may this image go on? Its report, its kin and what it does, in one answer.

Needs neither an engine nor an agent: an archive and a policy are enough. What could not be found out makes an answer
incomplete, never a yes.
"""

from pathlib import Path
from typing import Final

from msgspec import Struct

from pratique import sandbox
from pratique.errors import HostError, StoreError
from pratique.family import Fingerprint, find_kin
from pratique.model import Behaviour, Detonation, Finding, ImageIdentity, Report
from pratique.pipelines.detonate import Options, detonate_file
from pratique.pipelines.lineage import read_lineage
from pratique.pipelines.scan import scan_file
from pratique.policy import Document, judge_report
from pratique.report import Judgement, with_behaviour
from pratique.store import Store
from pratique.text import printable

_MAX_REASONS: Final = 10


class Question(Struct, frozen=True):
    """By what an image is judged."""

    document: Document
    advisories: Path | None = None
    """The database of advisories, if there is one."""
    store: Path | str | None = None
    """Where condemned images are known, if anywhere."""
    sandbox: Options | None = None
    """How to run it sealed off; None: not at all."""


class Answer(Struct, frozen=True):
    """What was found."""

    report: Report
    """With what it did in the sandbox."""
    judgement: Judgement
    incomplete: tuple[str, ...] = ()
    """What could not be found out."""
    family: str = ""
    """For people: what is known of its kin."""
    behaviour: str = ""
    """For people: how it behaved, or why it was not run."""


def ask(path: Path, question: Question, identity: ImageIdentity | None = None) -> Answer:
    """Judge the image in an archive or a layout.

    What the scan refuses already is not run. An answer that names nothing at fault and something unknown passes
    neither.

    :param identity: the image that it must be, as its engine describes it
    :raises ImageError: when it cannot be read, lies about itself, or is another image
    """
    prints: list[Fingerprint] = []
    report = scan_file(path, advisories=question.advisories, identity=identity, learn=prints.append)
    verdict = judge_report(report, question.document.admission)
    at_fault, unknown = ((), [verdict]) if isinstance(verdict, str) else (verdict, [])
    reasons = [*_reasons(at_fault)]
    family, objection = _family(report, prints[0], question)
    if objection:
        reasons.append(objection)
    if reasons:
        behaviour, detonation = "not run: it is refused already", None
    else:
        behaviour, detonation = _behaviour(path, question, identity, unknown)
    if detonation is not None and detonation.verdict is Behaviour.BAD:
        reasons.append(f"behaviour: {detonation.reason}")
        at_fault = (*at_fault, *detonation.findings)
    return Answer(
        report=report if detonation is None else with_behaviour(report, detonation),
        judgement=Judgement(
            passed=not reasons and not unknown,
            reasons=tuple(map(printable, (*reasons, *(f"not known: {reason}" for reason in unknown)))),
            at_fault=at_fault,
        ),
        incomplete=() if reasons else tuple(unknown),
        family=family,
        behaviour=behaviour,
    )


def _reasons(at_fault: tuple[Finding, ...]) -> list[str]:
    reasons = []
    for finding in at_fault[:_MAX_REASONS]:
        fixed = f", fixed in {finding.fixed_version}" if finding.fixed_version else ""
        about = f"{finding.package} {finding.version}".strip() or (f"/{finding.path}" if finding.path else "")
        where = f" in {about}" if about else ""
        reasons.append(f"{finding.kind}: {finding.severity} {finding.rule}{where}{fixed}: {finding.title}")
    if len(at_fault) > _MAX_REASONS:
        reasons.append(f"and {len(at_fault) - _MAX_REASONS} more findings of these kinds")
    return reasons


def _family(report: Report, fingerprint: Fingerprint, question: Question) -> tuple[str, str]:
    """Return what is known of an image's kin, and the objection that follows from it."""
    where, document = question.store, question.document
    if where is None or (isinstance(where, Path) and not where.exists()):
        return "not asked: there is no store here", ""
    try:
        with Store.open(where, read_only=True) as store:
            lineage = read_lineage(store, document)
    except StoreError as error:
        return f"not asked: {error.what}", ""
    image = report.image.id
    if lineage.is_condemned(image):
        return "condemned", f"it is condemned for: {lineage.verdicts[image].reason}"
    if image in lineage.verdicts or document.image(image) is not None:
        return "a person vouched for it", ""
    kin = find_kin(fingerprint, lineage.marrows)
    return ("no kin of a condemned image", "") if kin is None else (f"{kin.text}", f"it is {kin.text}")


def _behaviour(
    path: Path, question: Question, identity: ImageIdentity | None, unknown: list[str]
) -> tuple[str, Detonation | None]:
    """Run an image sealed off, if that is wanted; what stays unknown is added to ``unknown``."""
    if question.sandbox is None:
        if question.document.admission.require.detonated is not None:
            unknown.append("the policy requires that it was run in the sandbox, and it was not")
        return "not run", None
    try:
        detonation = detonate_file(path, question.sandbox, identity=identity)
    except HostError as error:
        unknown.append(f"how it behaves: {error.what}")
        return f"not run: {error.what}", None
    ran = f"ran {detonation.duration_s:.0f} s: {detonation.verdict}"
    if detonation.verdict is Behaviour.UNCLEAR:
        unknown.append(f"how it behaves: {detonation.reason}")
    return f"{ran}, {detonation.reason}" if detonation.reason else ran, detonation


def sandbox_options(work: Path, for_s: float) -> Options:
    """Return how to run an image sealed off.

    :param work: a directory of this host in which images are laid out
    """
    return Options(str(work), sandbox.Options(for_s=for_s))

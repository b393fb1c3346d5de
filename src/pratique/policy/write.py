"""The policy document as a person would have written it: YAML with a comment for every key."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from pratique.policy.document import Allow, Document, ImagePolicy

_PLAIN: Final = re.compile(r"[A-Za-z](?:[A-Za-z0-9._/@:-]*[A-Za-z0-9])?|\d{1,3}(?:\.\d{1,3}){3}(?:/\d{1,2})?")
_WORDS: Final = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\"}

_HEAD: Final = """\
# The policy of Pratique for this host. 'pratique policy check FILE' checks it, 'pratique policy apply FILE' makes it
# live without a restart. An unknown key is an error; the order never matters.
version: 1

# Builds on this host:  deny | gate (they run under 'unlisted', and what comes out needs a passing report like any
# other image) | allow (as gate, and the engine itself may fetch what is built: docker build https://…)
builds: {builds}

# Which images may run.
admission:
  # What keeps an image from running: malware, secret, misconfiguration, or a severity (low | medium | high |
  # critical), which means: a vulnerability at least that bad for which there is a fix.
  fail_on: [{fail_on}]
  # Seconds that a client waits for a scan on demand; then the request is refused and may be repeated.
  scan_deadline_s: {deadline}
  # An image of which something could not be read:  deny | allow
  incomplete: {incomplete}
  # What else it must have been shown to be. detonated: clean (it was run in the sandbox, on demand if need be, and did
  # nothing bad). This takes a processor for 'detonate_for_s' seconds for each new image.
  require: {require}
  # Seconds that an image runs in the sandbox on demand.
  detonate_for_s: {detonate_for}
  # Seconds that a client waits for that; then the request is refused and may be repeated.
  detonation_deadline_s: {detonation_deadline}

# Operations of the engine's API that are neither building nor running:  deny | allow
api:
  # docker exec
  exec: {exec}
  # docker cp into a container; what is copied cannot run where 'drift' is 'kill'
  copy_into: {copy_into}
  # docker pull
  pull: {pull}
  # docker load, import, commit; what comes out needs a passing report to run
  load: {load}
  # docker swarm, service, node, secret, config
  swarm: {swarm}
  # docker plugin
  plugins: {plugins}

# What holds for images that are not listed below, for build steps, and for containers that nobody admitted.
unlisted:
  # Traffic that no rule allows:  learn (let it through, record it) | monitor (and raise an alert) | enforce (refuse it)
  egress: {egress}
  # A program that is not in the image:  alert | kill (before its first instruction)
  drift: {drift}
  # The peers that may be talked to, one a line, as under 'images'.
  allow:{allow}
  # New versions of a listed image, told by what they are made of, are under its entry (but have no 'permit'):
  # never | pulled (only from the repository that it was pulled from) | any
  inherit: {inherit}

# What is done to a container at once when there is an alert about it, each once an hour. 'when' is the id of a
# detection rule or a severity (whatever is at least that severe), 'do' a list of: capture (evidence into an archive) |
# quarantine (the kernel cuts its traffic) | pause | stop | kill. A line is: - {{ when: exec.drift, do: [quarantine] }}
respond:{respond}

# What holds for each image, whatever its containers are called. An entry looks like this:
#
#   - name: shop/checkout:1            # for people; identity is 'ids' alone, since anybody can set a tag
#     ids: [sha256:<64 hex digits>]    # as 'docker image inspect -f {{{{.Id}}}} NAME' prints
#     egress: enforce                  # as under 'unlisted'
#     drift: kill                      # as under 'unlisted'
#     allow:                           # address or CIDR; without a port: any; without a protocol: any
#       - {{ to: 10.1.2.3, port: 6379, protocol: tcp, note: "the cart's redis" }}
#     permit: []                       # settings that are refused otherwise: {permits}
#     allow_changed_metadata: false    # true: files whose owner or mode a container changed may still run
images:{images}
"""
_PERMITS: Final = "privileged, host-paths, devices …"


def render(document: Document) -> str:
    """Return a document as commented YAML; :func:`pratique.policy.parse` reads back an equal one."""
    admission, api, unlisted = document.admission, document.api, document.unlisted
    return _HEAD.format(
        builds=document.builds.value,
        fail_on=", ".join(gate.value for gate in admission.fail_on),
        deadline=repr(float(admission.scan_deadline_s)),
        incomplete=admission.incomplete.value,
        require=f"{{ detonated: {admission.require.detonated.value} }}" if admission.require.detonated else "{}",
        detonate_for=repr(float(admission.detonate_for_s)),
        detonation_deadline=repr(float(admission.detonation_deadline_s)),
        exec=api.exec.value,
        copy_into=api.copy_into.value,
        pull=api.pull.value,
        load=api.load.value,
        swarm=api.swarm.value,
        plugins=api.plugins.value,
        egress=unlisted.egress.value,
        drift=unlisted.drift.value,
        inherit=unlisted.inherit.value,
        allow=block(render_rule(rule, "    ") for rule in unlisted.allow),
        respond=block(
            f"  - {{ when: {line.when}, do: [{', '.join(reaction.value for reaction in line.do)}] }}"
            for line in document.respond
        ),
        permits=_PERMITS,
        images=block("\n".join(_image(entry)) for entry in document.images),
    )


def _image(entry: ImagePolicy) -> Iterator[str]:
    yield f"  - name: {scalar(entry.name)}"
    yield "    ids:"
    yield from (f"      - {scalar(image_id)}" for image_id in entry.ids)
    yield f"    egress: {entry.egress.value}"
    yield f"    drift: {entry.drift.value}"
    yield "    allow:" + block(render_rule(rule, "      ") for rule in entry.allow)
    if entry.permit:
        yield f"    permit: [{', '.join(permit.value for permit in entry.permit)}]"
    if entry.allow_changed_metadata:
        yield "    allow_changed_metadata: true"


def render_rule(rule: Allow, indent: str) -> str:
    """Return one line of an allow-list."""
    fields = [f"to: {scalar(rule.to)}"]
    if rule.port:
        fields.append(f"port: {rule.port}")
    if rule.protocol is not None:
        fields.append(f"protocol: {rule.protocol.value}")
    if rule.note:
        fields.append(f"note: {scalar(rule.note)}")
    return f"{indent}- {{ {', '.join(fields)} }}"


def block(lines: Iterable[str]) -> str:
    """Return lines as a list of YAML below the key whose line this goes on."""
    text = "\n".join(lines)
    return f"\n{text}" if text else " []"


def scalar(value: str) -> str:
    """Return a string as YAML that no reader takes for anything else."""
    # Plain only where YAML 1.1 cannot take it for something else: '1:20' is a number there and 'no' is false.
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return '"' + "".join(_character(character) for character in value) + '"'


def _character(character: str) -> str:
    if 0xD800 <= ord(character) <= 0xDFFF:
        return "\ufffd"  # YAML has no way to write half a surrogate pair
    if character in _ESCAPES:
        return _ESCAPES[character]
    return character if character.isprintable() else f"\\U{ord(character):08X}"

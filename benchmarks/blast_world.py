"""A synthetic fleet of any size, as rows for the tables of the inventory; the same numbers give the same fleet.

Shaped after real ones: images on a few bases that most share, services of very different size with several tags of one
repository, a few services that nearly all depend on.
"""

import hashlib
import random
from collections.abc import Iterator
from typing import Final

from msgspec import Struct

from pratique.model import Container, Flow, ImageId, ImageIdentity
from pratique.model.flow import Direction, FlowVerdict, Protocol
from pratique.store.encoding import pack

_NOW: Final = 1_790_000_000.0
_BASES: Final = 40
_COMMON_PACKAGES: Final = 20
"""That every image has, in one version or another: a C library, a shell."""
_BASE_PACKAGES: Final = 70
_OWN_PACKAGES: Final = 60
_VERSIONS: Final = 10
_BASE_FILES: Final = 400
_OWN_FILES: Final = 8
_OWN_LAYERS: Final = 4
_CONTAINERS_A_HOST: Final = 1000
_TAGS: Final = 10
_ECOSYSTEM: Final = "Debian:12"
_PORT: Final = 8080
Rows = Iterator[tuple[object, ...]]


class Size(Struct, frozen=True):
    """How large a fleet is."""

    containers: int

    @property
    def images(self) -> int:
        """A fiftieth of the containers."""
        return max(self.containers // 50, _TAGS)

    @property
    def flows(self) -> int:
        """Five for each container."""
        return 5 * self.containers

    @property
    def services(self) -> int:
        """One for 400 containers."""
        return max(self.containers // 400, 10)

    @property
    def names(self) -> int:
        """Names of packages."""
        return max(min(self.images, 3000), 200)

    @property
    def rules(self) -> int:
        """Vulnerabilities; each is in half of the versions of one package."""
        return 2 * self.names


class World:
    """The fleet. Each method yields the rows of one table, in the order of its key."""

    def __init__(self, size: Size) -> None:
        self.size = size
        chance = random.Random(size.containers)
        self._service_of = self._shared_out(chance)
        self._repository_of = [chance.randrange(size.images // _TAGS) for _ in range(size.services)]
        self._image_of = [
            self._repository_of[service] * _TAGS + min(int(chance.expovariate(0.7)), _TAGS - 1)
            for service in self._service_of
        ]
        hubs = range(min(5, size.services))
        self._targets = [
            sorted({*chance.sample(hubs, 2), *chance.choices(range(size.services), k=chance.randint(1, 6))})
            for _ in range(size.services)
        ]
        self._packages = [self._packages_of(image) for image in range(size.images)]
        self._members: list[list[int]] = [[] for _ in range(size.services)]
        for container, service in enumerate(self._service_of):
            self._members[service].append(container)
        order = sorted(range(size.containers), key=self.container_id)
        self._in_order_of_id = order

    def _shared_out(self, chance: random.Random) -> list[int]:
        """Give each container a service; the sizes fall like those of words in a text."""
        weights = [1 / (rank + 1) ** 0.7 for rank in range(self.size.services)]
        rest = chance.choices(range(self.size.services), weights, k=self.size.containers - self.size.services)
        return [*range(self.size.services), *rest]

    def _packages_of(self, image: int) -> list[int]:
        """Return the numbers of an image's packages; a base's are those of all images on it."""
        base = random.Random(image // _TAGS % _BASES)
        own = random.Random(image * 7 + 1)
        names = range(_COMMON_PACKAGES, self.size.names)
        of_base = [name * _VERSIONS + base.randrange(_VERSIONS) for name in base.sample(names, _BASE_PACKAGES)]
        of_image = [name * _VERSIONS + own.randrange(_VERSIONS) for name in own.sample(names, _OWN_PACKAGES)]
        common = [name * _VERSIONS + base.randrange(_VERSIONS) for name in range(_COMMON_PACKAGES)]
        return sorted({*common, *of_base, *of_image})

    # Names, which questions are made of

    def container_id(self, number: int) -> str:
        """Return the id of a container."""
        return hashlib.sha256(b"container %d" % number).hexdigest()

    def image_id(self, number: int) -> ImageId:
        """Return the id of an image."""
        return ImageId(f"sha256:{hashlib.sha256(b'image %d' % number).hexdigest()}")

    def package_name(self, number: int) -> str:
        """Return the name of the package that a numbered version is of."""
        return f"package-{number // _VERSIONS}"

    def version(self, number: int) -> str:
        """Return a package's version."""
        return f"1.{number % _VERSIONS}.0-1"

    def rule(self, number: int) -> str:
        """Return the id of a vulnerability; two are in each package."""
        return f"CVE-2026-{10_000 + number}"

    def file(self, layer: int, number: int) -> bytes:
        """Return the SHA-256 of a file of a layer."""
        return hashlib.sha256(b"file %d %d" % (layer, number)).digest()

    def common_packages(self) -> list[int]:
        """Return packages that every image has, in one version or another."""
        return [name * _VERSIONS for name in range(_COMMON_PACKAGES)]

    def flaws(self, rule: int) -> range:
        """Return the numbers of the flaws of a vulnerability: one for each version that has it."""
        half = _VERSIONS // 2
        return range(rule * half, (rule + 1) * half)

    def _flawed(self, package: int) -> list[int]:
        """Return the flaws of one version of a package."""
        half = _VERSIONS // 2
        return [
            rule * half + package % _VERSIONS
            for rule in (package // _VERSIONS * 2, package // _VERSIONS * 2 + 1)
            if package % _VERSIONS < half
        ]

    # Rows

    def services(self) -> Rows:
        """Rows of ``services``."""
        for number in range(self.size.services):
            yield number + 1, "compose", f"project-{number % 97}/service-{number}"

    def images(self) -> Rows:
        """Rows of ``images``."""
        for number in range(self.size.images):
            identity = ImageIdentity(self.image_id(number), references=(self._image_name(number),))
            yield self.image_id(number), pack(identity), _NOW, _NOW

    def known_images(self) -> Rows:
        """Rows of ``known_images``."""
        for number in range(self.size.images):
            yield number + 1, self.image_id(number), self._image_name(number), _NOW, _NOW, 4

    def image_names(self) -> Rows:
        """Rows of ``image_names``."""
        yield from sorted((self._image_name(number), number + 1) for number in range(self.size.images))

    def _image_name(self, number: int) -> str:
        return f"registry.example/team-{number // _TAGS}/app:{number % _TAGS}"

    def known_layers(self) -> Rows:
        """Rows of ``known_layers``: the bases, then the images' own."""
        for layer in range(_BASES + self.size.images * _OWN_LAYERS):
            yield layer + 1, f"sha256:{hashlib.sha256(b'layer %d' % layer).hexdigest()}"

    def image_layers(self) -> Rows:
        """Rows of ``image_layers``."""
        for image in range(self.size.images):
            yield image + 1, 0, image // _TAGS % _BASES + 1
            for position in range(_OWN_LAYERS):
                yield image + 1, position + 1, _BASES + image * _OWN_LAYERS + position + 1

    def known_paths(self) -> Rows:
        """Rows of ``known_paths``."""
        yield 1, "var/lib/dpkg/status"
        for number in range(_BASE_FILES):
            yield number + 2, f"usr/bin/program-{number}"

    def layer_files(self) -> Rows:
        """Rows of ``layer_files``."""
        for layer in range(_BASES + self.size.images * _OWN_LAYERS):
            for number in range(_BASE_FILES if layer < _BASES else _OWN_FILES):
                yield layer + 1, number + 2, self.file(layer, number)

    def known_packages(self) -> Rows:
        """Rows of ``known_packages``."""
        for number in range(self.size.names * _VERSIONS):
            name, version = self.package_name(number), self.version(number)
            yield number + 1, _ECOSYSTEM, name, version, name, version, name, name

    def image_packages(self) -> Rows:
        """Rows of ``image_packages``."""
        yield from sorted(
            (package + 1, image + 1, 1, 0) for image, packages in enumerate(self._packages) for package in packages
        )

    def known_flaws(self) -> Rows:
        """Rows of ``known_flaws``."""
        for rule in range(self.size.rules):
            for offset, number in enumerate(self.flaws(rule)):
                package = rule // 2 * _VERSIONS + offset
                fixed = f"1.{_VERSIONS // 2}.0-1"
                name, version = self.package_name(package), self.version(package)
                yield number + 1, self.rule(rule), _ECOSYSTEM, name, version, fixed, 2 + rule % 4

    def flaw_names(self) -> Rows:
        """Rows of ``flaw_names``."""
        yield from sorted((self.rule(rule), self.rule(rule)) for rule in range(self.size.rules))

    def image_flaws(self) -> Rows:
        """Rows of ``image_flaws``."""
        yield from sorted(
            (flaw + 1, image + 1)
            for image, packages in enumerate(self._packages)
            for package in packages
            for flaw in self._flawed(package)
        )

    def containers(self) -> Rows:
        """Rows of ``containers``."""
        for number in self._in_order_of_id:
            one, image = self.container_id(number), self.image_id(self._image_of[number])
            document = pack(Container(one, f"container-{number}", image, running=True))
            yield one, image, "unlisted", True, _NOW, _NOW, None, document

    def present(self) -> Rows:
        """Rows of ``present``."""
        yield from sorted(
            (
                self._image_of[number] + 1,
                self._service_of[number] + 1,
                self._rank(number),
                self.container_id(number),
                f"host-{number // _CONTAINERS_A_HOST}",
                f"container-{number}",
                _NOW,
            )
            for number in range(self.size.containers)
        )

    def _rank(self, number: int) -> int:
        """One service in fifty can be reached from other machines; one container in twenty does not run."""
        return (0 if self._service_of[number] % 50 == 7 else 2) + (1 if number % 20 == 0 else 0)

    def placements(self) -> Rows:
        """Rows of ``placements``."""
        counts: dict[tuple[int, int], list[int]] = {}
        for number in range(self.size.containers):
            count = counts.setdefault((self._image_of[number] + 1, self._service_of[number] + 1), [0, 0, 0])
            rank = self._rank(number)
            count[0] += 1
            count[1] += rank % 2 == 0
            count[2] += rank < 2
        for (image, service), (present, running, exposed) in sorted(counts.items()):
            yield image, service, present, running, exposed, _NOW

    def addresses(self) -> Rows:
        """Rows of ``addresses``."""
        yield from sorted(
            (
                self.address(number),
                f"host-{number // _CONTAINERS_A_HOST}",
                self.container_id(number),
                self._service_of[number] + 1,
                _NOW,
                None,
            )
            for number in range(self.size.containers)
        )

    def address(self, number: int) -> str:
        """Return the address of a container."""
        return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"

    def flows_of(self, count: int) -> list[Flow]:
        """Return some flows as the agent adds them."""
        return [self._flow(number, turn) for number in range(count // 5) for turn in range(5)]

    def _flow(self, number: int, turn: int) -> Flow:
        targets = self._targets[self._service_of[number]]
        members = self._members[targets[turn % len(targets)]]
        peer = members[(number * 31 + turn) % len(members)]
        container, image = self.container_id(number), self.image_id(self._image_of[number])
        return Flow(
            container, image, Direction.EGRESS, Protocol.TCP, self.address(peer), _PORT + turn, FlowVerdict.ALLOWED,
            9, 900, _NOW, _NOW, "app",
        )  # fmt: skip

    def flows(self) -> Rows:
        """Rows of ``flows``."""
        number = 0
        for container in self._in_order_of_id:
            for turn in range(5):
                number += 1
                flow = self._flow(container, turn)
                yield (
                    number, flow.container, flow.image, "egress", "tcp", flow.address, flow.port, "allowed",
                    flow.packets, flow.bytes, _NOW, _NOW, flow.command,
                )  # fmt: skip

    def service_edges(self) -> Rows:
        """Rows of ``service_edges``."""
        for source, targets in enumerate(self._targets):
            ports: dict[int, list[int]] = {}
            for turn in range(5):
                ports.setdefault(targets[turn % len(targets)], []).append(_PORT + turn)
            for target in sorted(ports):
                for port in ports[target]:
                    counts = (9 * len(self._members[source]), 900 * len(self._members[source]))
                    image, address = self.image_id(0), self.address(self._members[target][0])
                    yield source + 1, target + 1, "tcp", port, "allowed", *counts, _NOW, _NOW, image, address

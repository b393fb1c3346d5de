"""A choice of images, and where they run. Pure: counted from one look at the store."""

from collections.abc import Collection

from msgspec import Struct

from pratique.store.records import Sum


class Hit(Struct, frozen=True):
    """The images that a question hits."""

    images: dict[int, tuple[int, bool]]
    """By number: the rank of the worst severity, and whether one of the vulnerabilities is exploited in the wild."""
    places: list[tuple[int, int, int, int, int, float]]
    """Image, service, containers, running, exposed, since when."""

    def sums(self) -> list[Sum]:
        """Return how many containers of each service are hit."""
        found: dict[int, Sum] = {}
        for image, service, present, running, exposed, since in self.places:
            severity, kev = self.images[image]
            known = found.get(service)
            if known is None:
                found[service] = Sum(service, present, running, exposed, 1, since, severity, kev)
            else:
                known.containers += present
                known.running += running
                known.exposed += exposed
                known.images += 1
                known.since = min(known.since, since)
                known.severity = max(known.severity, severity)
                known.kev = known.kev or kev
        return list(found.values())

    def placements(self, services: Collection[int]) -> list[tuple[int, int, int, bool]]:
        """Return service, image, severity and whether exploited, of the images that are hit in services."""
        return [(service, image, *self.images[image]) for image, service, *_ in self.places if service in services]

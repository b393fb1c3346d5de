"""One line of the table."""

from msgspec import Struct


class Row(Struct, frozen=True):
    """A measurement without and with Pratique, or of a peer and of Pratique, in one unit."""

    name: str
    without: float
    with_: float
    unit: str

    @property
    def ratio(self) -> float:
        """With divided by without."""
        return self.with_ / self.without if self.without else float("nan")

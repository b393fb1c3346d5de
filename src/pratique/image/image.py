"""An opened image: its identity, its configuration, its merged tree, and the bytes of its files."""

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from pratique.errors import ImageError
from pratique.image.containers import Container, open_container
from pratique.image.deadline import Deadline
from pratique.image.layer import OpenLayers, UnsupportedLayerError
from pratique.image.locate import Parts, locate
from pratique.image.options import Options
from pratique.image.tar import Header, walk
from pratique.image.tree import Node, Tree
from pratique.model import ImageId, ImageIdentity, Unread
from pratique.text import printable

if TYPE_CHECKING:
    from pratique.image.region import Region


def open_image(path: Path, options: Options | None = None) -> "Image":
    """Open the image in a docker-archive, an OCI layout, or an OCI layout as a tar; tars may be gzipped.

    :raises ImageError: when there is no image, or more than one, or it is broken, lies about itself or passes a bound
    """
    options = options or Options()
    deadline = Deadline(options.deadline_s)
    container = open_container(path, options, deadline)
    try:
        return Image(container, options, deadline)
    except BaseException:
        container.close()
        raise


class Image:
    """An image, verified: its id is the digest of its configuration, and each layer is the one that it names.

    A context manager: the files behind it are open until it is left.
    """

    def __init__(self, container: Container, options: Options, deadline: Deadline) -> None:
        parts = locate(container, options)
        self.config = parts.config
        self.digests = parts.digests
        """Every verified digest that means this image: of its configuration, its manifest and its index."""
        self.identity = _identity(parts)
        self.tree = Tree(options)
        self.unread: list[Unread] = self.tree.unread
        self._container = container
        self._layers = OpenLayers(options, deadline)
        self._tars: list[Region | None] = []
        try:
            self._merge(parts, options, deadline)
        except BaseException:
            self._layers.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all files."""
        self._layers.close()
        self._container.close()

    def is_readable(self, node: Node) -> bool:
        """Tell whether a file's layer could be opened."""
        return self._tars[node.data_layer] is not None

    def read(self, node: Node, start: int = 0, count: int | None = None) -> bytes:
        """Return bytes of a file of the tree; less than ``count`` at its end. Holes of sparse files are zeros.

        :raises ImageError: when the bytes cannot be read
        """
        tar = self._tars[node.data_layer]
        assert tar is not None
        end = node.size if count is None else min(node.size, start + count)
        if start >= end:
            return b""
        if node.segments is None:
            return tar.read(node.offset + start, end - start)
        content = bytearray(end - start)
        stored = node.offset
        for offset, length in node.segments:
            first, last = max(offset, start), min(offset + length, end)
            if first < last:
                content[first - start : last - start] = tar.read(stored + first - offset, last - first)
            stored += length
        return bytes(content)

    def _merge(self, parts: Parts, options: Options, deadline: Deadline) -> None:
        left = options.max_entries
        for number, (blob, diff_id) in enumerate(parts.layers):
            try:
                tar = self._layers.open(blob, diff_id)
            except UnsupportedLayerError as error:
                self._tars.append(None)
                self.unread.append(Unread(path=f"layer {diff_id}", reason=error.what))
                continue
            self._tars.append(tar)
            headers = _bounded(walk(tar, options), left, deadline, tar.name)
            left -= self.tree.apply(number, headers)


def _bounded(headers: Iterator[Header], most: int, deadline: Deadline, name: str) -> Iterator[Header]:
    for count, header in enumerate(headers):
        deadline.check(name)
        if count >= most:
            msg = f"{name} brings the image over its bound of files, by more than {most}"
            raise ImageError(msg)
        yield header


def _identity(parts: Parts) -> ImageIdentity:
    config = parts.config
    return ImageIdentity(
        id=ImageId(parts.config_digest),
        references=tuple(printable(name)[:512] for name in parts.references[:100]),
        layers=tuple(diff_id for _, diff_id in parts.layers),
        architecture=printable(config.architecture)[:100],
        os=printable(config.os)[:100],
        created=printable(config.created or "")[:100],
    )

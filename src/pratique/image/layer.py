"""Makes each layer an uncompressed tar that can be read by position, and proves that it is what the image names."""

import hashlib
import os
from typing import Final

from isal import igzip_lib, isal_zlib

from pratique.errors import ImageError
from pratique.image.deadline import Deadline
from pratique.image.options import Options
from pratique.image.region import Region, spool_file, write_spool

GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_OUTPUT_BYTES: Final = 1 << 20


class UnsupportedLayerError(ImageError):
    """A layer in a form that this program does not know; the rest of the image can be read without it."""


class OpenLayers:
    """Opens layers one after the other within the image's bounds, and closes what it opened."""

    def __init__(self, options: Options, deadline: Deadline) -> None:
        self._options = options
        self._deadline = deadline
        self._left = options.max_image_bytes
        self._read = self._inflated = 0
        self._spools: list[int] = []

    def open(self, blob: Region, diff_id: str) -> Region:
        """Return the layer's tar.

        :param diff_id: what its uncompressed bytes must hash to (OCI image-spec, "Layer DiffID")
        :raises UnsupportedLayerError: for a compression other than gzip
        :raises ImageError: for bytes that are not those that the image names, and for a bound that is passed
        """
        magic = blob.read(0, min(4, blob.size))
        if magic == _ZSTD:
            msg = f"{blob.name} is compressed with zstd, which cannot be read"
            raise UnsupportedLayerError(msg)
        if magic[:2] == GZIP:
            tar, actual = self.inflate(blob)
        else:
            tar, actual = blob, self._hash(blob)
        if actual != diff_id:
            msg = f"{blob.name} is not the layer that the image names: its content is {actual}, not {diff_id}"
            raise ImageError(msg)
        return tar

    def inflate(self, blob: Region) -> tuple[Region, str]:
        """Inflate gzip, all members of it as Go does, to a temporary file; return that and the digest of its bytes.

        :raises ImageError: when it is not valid gzip or passes a bound
        """
        spool = spool_file(self._options.spool_dir)
        self._spools.append(spool)
        digest = hashlib.sha256()
        size = 0
        engine = isal_zlib.decompressobj(wbits=31)
        for block in blob.blocks():
            data: bytes = block
            self._read += len(block)
            while data:
                self._deadline.check(blob.name)
                if engine.eof:
                    engine = isal_zlib.decompressobj(wbits=31)
                try:
                    output = engine.decompress(data, _OUTPUT_BYTES)
                except igzip_lib.IsalError as error:  # type: ignore[misc]  # its stub calls the class a value
                    msg = f"{blob.name} is not valid gzip: {error}"
                    raise ImageError(msg) from error
                data = engine.unused_data if engine.eof else engine.unconsumed_tail
                size += len(output)
                self._take(len(output), blob.name)
                self._check_ratio(len(output), blob.name)
                digest.update(output)
                write_spool(spool, output, self._options.min_free_bytes)
        if not engine.eof:
            msg = f"{blob.name} is truncated: its gzip stream has no end"
            raise ImageError(msg)
        return Region(spool, 0, size, blob.name), f"sha256:{digest.hexdigest()}"

    def close(self) -> None:
        """Give the temporary files back."""
        while self._spools:
            os.close(self._spools.pop())

    def _hash(self, blob: Region) -> str:
        self._take(blob.size, blob.name)
        digest = hashlib.sha256()
        for block in blob.blocks():
            self._deadline.check(blob.name)
            digest.update(block)
        return f"sha256:{digest.hexdigest()}"

    def _take(self, count: int, name: str) -> None:
        self._left -= count
        if self._left < 0:
            msg = f"{name}: the image has more than {self._options.max_image_bytes} uncompressed bytes"
            raise ImageError(msg)

    def _check_ratio(self, count: int, name: str) -> None:
        """Of all layers together: one small blob may be named hundreds of times."""
        self._inflated += count
        if self._inflated > max(self._options.free_inflate_bytes, self._read * self._options.max_ratio):
            msg = f"{name} is a compression bomb: {self._read} bytes became more than {self._inflated}"
            raise ImageError(msg)

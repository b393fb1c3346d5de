"""Merges layers into the tree that a container would see. Pure: no file system is touched.

Rules (OCI image-spec, "Layer Filesystem Changeset"): a whiteout removes what lower layers put there, never what its
own layer does; an entry replaces the one of the same path, and directories of the same path merge.

Engines disagree in one point: an entry below a path that is a symlink in a lower layer. containerd follows the link,
overlay2 puts a directory in its place. Here the directory takes the link's place and nothing the link led to is
hidden, so that whatever an engine would run is in the tree.
"""

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec
from msgspec import Struct

from pratique.errors import ImageError
from pratique.image.options import Options
from pratique.image.sparse import Segments
from pratique.image.tar import Header, Kind
from pratique.model import Unread
from pratique.text import printable

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_NODE_BYTES: Final = 400
_SEGMENT_BYTES: Final = 128
"""What a node without its texts, and a segment of a sparse file, take of the memory."""
_OVERLAY_XATTRS: Final = ("trusted.overlay.", "user.overlay.")


class Node(Struct):
    """Something in the tree. ``path`` is relative to the root, without a leading slash."""

    path: str
    kind: Kind
    layer: int
    """The layer that put it here."""
    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    size: int = 0
    offset: int = 0
    """Where the data starts in the tar of ``data_layer``."""
    data_layer: int = 0
    target: str = ""
    segments: Segments | None = None
    children: "dict[str, Node] | None" = None
    """Of a directory."""
    pruned_for: int = 0
    """The last layer that removed what lower ones had put at and below here; it need not look again."""


class Tree:
    """The merged tree; feed it layers from the base up with :meth:`apply`."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self.root = Node("", Kind.DIRECTORY, layer=0, children={})
        self.unread: list[Unread] = []
        self.hidden: list[Node] = []
        """Files that a container does not see any more, but whose bytes are still in a layer for all to read."""
        self._left = options.max_tree_bytes

    def apply(self, layer: int, headers: Iterable[Header]) -> int:
        """Lay one layer over the tree and return its number of entries; what cannot be placed becomes ``unread``.

        :raises ImageError: when the tree would grow over its bound
        """
        count = 0
        for header in headers:
            count += 1
            parts = self._parts(header)
            if parts is None:
                continue
            if any(name.startswith(_OVERLAY_XATTRS) for name in header.xattrs):
                self._complain(header.path, "sets an attribute of overlayfs, which could show other files than these")
            if not parts:
                continue
            name = parts[-1]
            if name.startswith(_WHITEOUT):
                self._white_out(layer, parts, header)
            else:
                self._place(layer, parts, header)
        return count

    def nodes(self) -> Iterator[Node]:
        """Yield everything but the root, depth first."""
        stack = [self.root]
        while stack:
            node = stack.pop()
            if node is not self.root:
                yield node
            if node.children:
                stack.extend(node.children.values())

    def find(self, path: str) -> Node | None:
        """Return what is at a path, with every symlink followed inside the root as a container would; or None."""
        pending = [part for part in reversed(path.split("/")) if part not in ("", ".")]
        trail = [self.root]
        links = 0
        while pending:
            part = pending.pop()
            if part in ("", "."):
                continue
            if part == "..":
                if len(trail) > 1:
                    trail.pop()
                continue
            node = (trail[-1].children or {}).get(part)
            if node is None:
                return None
            if node.kind is Kind.SYMLINK:
                links += 1
                pending.extend(reversed(node.target.split("/")))
                if links > self._options.max_symlinks or len(pending) > self._options.max_path_depth:
                    return None
                if node.target.startswith("/"):
                    trail = [self.root]
            elif node.children is None:
                return node if not pending else None
            else:
                trail.append(node)
        return trail[-1]

    def _parts(self, header: Header) -> list[str] | None:
        """Clean a path as the engines do; None when it cannot stand in a tree."""
        if "\0" in header.path or len(header.path.encode(errors="surrogateescape")) > self._options.max_path_bytes:
            self._complain(header.path, "path is too long or holds a NUL")
            return None
        parts: list[str] = []
        for part in header.path.split("/"):
            if part == "..":
                if not parts:
                    self._complain(header.path, "path leads out of the image")
                    return None
                parts.pop()
            elif part not in ("", "."):
                parts.append(part)
        if len(header.target.encode(errors="surrogateescape")) > self._options.max_path_bytes:
            self._complain(header.path, "is a link to a path that is too long")
            return None
        if len(parts) > self._options.max_path_depth:
            self._complain(header.path, f"path has more than {self._options.max_path_depth} parts")
            return None
        return parts

    def _place(self, layer: int, parts: list[str], header: Header) -> None:
        if header.kind is Kind.UNKNOWN:
            self._complain(header.path, "is of a kind that tar does not define")
            return
        source: Node | None = None
        if header.kind is Kind.HARDLINK:
            source = self._link_source(header)
            if source is None:
                return
        parent = self._directory(layer, parts[:-1])
        name = parts[-1]
        assert parent.children is not None
        old = parent.children.get(name)
        if header.kind is Kind.DIRECTORY and old is not None and old.children is not None:
            old.layer, old.mode, old.uid, old.gid = layer, header.mode, header.uid, header.gid
            return
        if old is not None:
            self._hide(old)
        parent.children[name] = self._grown(_node("/".join(parts), layer, header, source))

    def _grown(self, node: Node) -> Node:
        """Count a new node.

        :raises ImageError: when it is one too many
        """
        self._left -= _NODE_BYTES + len(node.path) + len(node.target) + _SEGMENT_BYTES * len(node.segments or ())
        if self._left < 0:
            msg = f"the tree of the image's files needs more than {self._options.max_tree_bytes} bytes of memory"
            raise ImageError(msg)
        return node

    def _link_source(self, header: Header) -> Node | None:
        """Return what a hard link names: the entry itself where the path is literal, else through symlinks."""
        node: Node | None = self.root
        for part in header.target.split("/"):
            if part in ("", "."):
                continue
            node = node.children.get(part) if node and node.children else None
        node = node or self.find(header.target)
        if node is None or node.children is not None:
            self._complain(header.path, f"is a hard link to {header.target[:200]}, which is not a file of the image")
            return None
        return node

    def _directory(self, layer: int, parts: list[str]) -> Node:
        """Return the directory at a path, made or put in the place of a file or symlink if need be."""
        node = self.root
        for depth, part in enumerate(parts, start=1):
            assert node.children is not None
            child = node.children.get(part)
            if child is None or child.children is None:
                if child is not None:
                    self._hide(child)
                child = self._grown(Node("/".join(parts[:depth]), Kind.DIRECTORY, layer, children={}))
                node.children[part] = child
            node = child
        return node

    def _white_out(self, layer: int, parts: list[str], header: Header) -> None:
        name = parts[-1]
        hidden = name[len(_WHITEOUT) :]
        if hidden in ("", ".", ".."):
            self._complain(header.path, "is a whiteout of nothing or of its own directory")
            return
        parent = self.root
        for part in parts[:-1]:
            child = parent.children.get(part) if parent.children else None
            if child is None or child.children is None:
                return
            parent = child
        assert parent.children is not None
        if name == _OPAQUE:
            self._prune(parent, layer)
        elif hidden in parent.children and self._prune(parent.children[hidden], layer):
            del parent.children[hidden]

    def _prune(self, node: Node, layer: int) -> bool:
        """Remove what lower layers put at and below a node; return whether nothing of this layer is left."""
        if node.children is None:
            if node.layer < layer:
                self._hide(node)
            return node.layer < layer
        if node.pruned_for < layer:
            node.pruned_for = layer
            node.children = {name: child for name, child in node.children.items() if not self._prune(child, layer)}
        return not node.children and node.layer < layer

    def _hide(self, node: Node) -> None:
        if node.kind is Kind.FILE:
            self.hidden.append(node)
        for child in (node.children or {}).values():
            self._hide(child)

    def _complain(self, path: str, reason: str) -> None:
        if len(self.unread) < self._options.max_unread:
            self.unread.append(Unread(path=printable(path[:500]), reason=printable(reason)))


def _node(path: str, layer: int, header: Header, source: Node | None) -> Node:
    if source is not None:
        return msgspec.structs.replace(source, path=path, layer=layer)
    return Node(
        path,
        header.kind,
        layer=layer,
        mode=header.mode,
        uid=header.uid,
        gid=header.gid,
        size=header.size,
        offset=header.offset,
        data_layer=layer,
        target=header.target,
        segments=header.segments,
        children={} if header.kind is Kind.DIRECTORY else None,
    )

"""Made-up images on made-up bases, and what an attacker does to a copy of one to make it look new."""

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass

from pratique.family import Fingerprint, element, recipe_of, sampled
from pratique.model import ImageId

Files = dict[str, tuple[str, int]]
"""Path → (name of a content, its size)."""


@dataclass(frozen=True)
class Made:
    """An image before it is fingerprinted."""

    layers: tuple[tuple[str, Files], ...]
    """(diff id, files), base first."""
    command: tuple[str, ...] = ("/bin/sh",)

    def fingerprint(self) -> Fingerprint:
        """What a scan of the image gives."""
        seen: dict[str, int] = {path: number for number, (_, files) in enumerate(self.layers) for path in files}
        strata = [
            [_element(*files[path]) for path in files if seen[path] == number]
            for number, (_, files) in enumerate(self.layers)
        ]
        packed, omitted = sampled(strata)
        text = repr((self.layers, self.command))
        return Fingerprint(
            image=ImageId(f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"),
            at=1.0,
            layers=tuple(diff_id for diff_id, _ in self.layers),
            strata=packed,
            recipe=recipe_of((), self.command),
            omitted=omitted,
        )


class Maker:
    """Makes images from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._count = 0

    def files(self, count: int, folder: str) -> Files:
        """So many files that nobody else has."""
        return {
            f"{folder}/{self.name()}": (self.name(), int(self.random.lognormvariate(8, 2)) + 16) for _ in range(count)
        }

    def layer(self, files: Files) -> tuple[str, Files]:
        """A layer with a new id."""
        return f"sha256:{self.name():0>64}", files

    def base(self) -> tuple[tuple[str, Files], ...]:
        """An operating system, and often a language above it."""
        layers = [self.layer(self.files(self.random.randint(30, 200), "usr"))]
        more = [self.files(self.random.randint(10, 100), "usr/local") for _ in range(self.random.randint(0, 3))]
        layers += map(self.layer, more)
        return tuple(layers)

    def honest(self, base: Sequence[tuple[str, Files]]) -> Made:
        """Somebody's service on a base, with libraries that others on it use as well."""
        own = [self.layer(self.files(self.random.randint(1, 80), "srv")) for _ in range(self.random.randint(1, 3))]
        return Made((*base, *own), command=(f"/srv/{self.name()}", "--port", str(self.random.randint(1024, 9999))))

    def name(self) -> str:
        """A name that was never given before."""
        self._count += 1
        return f"n{self._count:x}{self.random.randrange(1 << 32):08x}"

    def mutated(self, image: Made, own: int, other_base: Sequence[tuple[str, Files]]) -> Made:
        """Re-build a copy: some of what is known to be done, at random.

        :param own: how many of its layers, from the top, are its own
        """
        base, mine = list(image.layers[: len(image.layers) - own]), [dict(files) for _, files in image.layers[-own:]]
        chance = self.random.random
        if not own:
            mine = []
        if chance() < 0.3:
            base = list(other_base)
        if mine and chance() < 0.6:
            self._change_some(mine)
        if chance() < 0.4:
            mine = [{f"opt/{self.name()}": content for content in files.values()} for files in mine]
        if chance() < 0.4:
            mine.append(self.files(self.random.choice([1, 20, 200]), "padding"))
        if chance() < 0.5:
            self.random.shuffle(mine)
        mine = self._cut_anew(mine)
        layers = [*base, *(self.layer(files) for files in mine if files)]
        if chance() < 0.2:
            merged = {path: content for _, files in layers for path, content in files.items()}
            layers = [self.layer(merged)]
        return Made(tuple(layers), command=self._reworded(image.command))

    def _change_some(self, layers: list[Files]) -> None:
        """Change, add and remove a few of many files, and none of one."""
        paths = [(files, path) for files in layers for path in files]
        for files, path in self.random.sample(paths, len(paths) // 8):
            if self.random.random() < 0.5:
                del files[path]
            else:
                files[path] = (self.name(), files[path][1])
        layers[0][f"etc/{self.name()}"] = (self.name(), 300)

    def _cut_anew(self, layers: list[Files]) -> list[Files]:
        """Squash the layers, split them, or leave them."""
        choice = self.random.random()
        merged = {path: content for files in layers for path, content in files.items()}
        if choice < 0.3:
            return [merged]
        if choice < 0.6:
            cut: list[Files] = [{}, {}, {}]
            for path, content in merged.items():
                self.random.choice(cut)[path] = content
            return cut
        return layers

    def _reworded(self, command: Sequence[str]) -> tuple[str, ...]:
        """Let it call home somewhere else."""
        return tuple(word.replace("10.1.2.3", f"10.9.{self.random.randint(1, 200)}.7") for word in command)


def _element(name: str, size: int) -> int:
    return element(hashlib.sha256(name.encode()).digest(), size)

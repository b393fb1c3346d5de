"""The maps that say what holds for whom; every feature has its own, written alike.

A policy gets a fresh slot each time it is installed. Slots are filled before anything refers to them and emptied after
nothing does any more, so that there is no instant without a policy or with half of one.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from msgspec import Struct

from pratique.errors import KernelError, UsageError
from pratique.model import KernelPolicy
from pratique.sensor.cgroups import Child
from pratique.sensor.feature import Feature
from pratique.sensor.maps import Map
from pratique.sensor.wire import (
    BINDING,
    CGROUP,
    NUMBER,
    BindingKind,
    KernelConfig,
    KernelParent,
    container_name,
    generation_of,
    pack_slot,
    pack_ticket_key,
)

DEFAULT_POLICY: Final = 0
_BY_DEFAULT: Final = 0
"""The slot number in a binding that stands for whatever the default slot is."""
_ZERO: Final = bytes(4)


class Place(Struct, frozen=True):
    """Where containers are."""

    parents: tuple[KernelParent, ...]
    host_netns: int
    """Cookie of the host's network namespace: its loopback is not a container's own."""


class Tables:
    """The policy tables of one feature."""

    def __init__(self, feature: Feature, maps: Mapping[str, Map]) -> None:
        self._feature = feature
        self._maps = maps
        self._place = Place(parents=(), host_netns=0)
        self._slots: dict[int, int] = {}
        """Policy id → the slot that holds it."""

    def install(
        self, policies: Sequence[KernelPolicy], tickets: Mapping[str, int], place: Place, children: Iterable[Child]
    ) -> None:
        """Put policies into force in place of all that were.

        :param tickets: container id → policy id
        :param children: the containers that are there
        :raises KernelError: when they do not fit; what was in force stays
        """
        old = self._taken()
        first = max(old, default=0) + 1
        fresh = {first + index: policy for index, policy in enumerate(policies)}
        try:
            self._feature.fill(self._maps, fresh)
            self._maps["pq_slots"].update({NUMBER.pack(slot): pack_slot(policy) for slot, policy in fresh.items()})
        except KernelError:
            self._remove(list(fresh))
            raise
        self._slots = {policy.id: slot for slot, policy in fresh.items()}
        self._place = place
        self._write_tickets(tickets)
        self._adopt(children, tickets)
        self._turn(tickets)
        self._renew()
        if old:
            self._turn(tickets)  # what was made with an old ticket in hand
            self._remove(old)

    def catch_up(self, tickets: Mapping[str, int], children: Iterable[Child]) -> None:
        """Bind what was made while the program that binds was being attached."""
        self._adopt(children, tickets)
        if self._turn(tickets):
            self._renew()

    def bind(self, container_id: str, policy_id: int) -> None:
        """Put a container under a policy, whether its cgroup is there already or is still to be made.

        :raises UsageError: when there is no such policy
        """
        if policy_id not in self._slots:
            msg = f"there is no policy {policy_id} to bind container {container_id[:12]} to"
            raise UsageError(msg)
        self._maps["pq_tickets"].set(pack_ticket_key(container_id), NUMBER.pack(self._slots[policy_id]))
        if self._turn({container_id: policy_id}, only=container_id):
            self._renew()

    def unbind(self, container_id: str) -> None:
        """Take a binding back: what is left of the container is under the default."""
        self._maps["pq_tickets"].delete(pack_ticket_key(container_id))
        if self._turn({}, only=container_id):
            self._renew()

    def name_of(self, cgroup: int) -> str | None:
        """Return the name of a container's cgroup, or None for one that is not bound."""
        value = self._maps["pq_bindings"].get(CGROUP.pack(cgroup))
        if value is None:
            return None
        _, kind, name = BINDING.unpack(value)
        return container_name(kind, name)

    def _slot_of(self, container_id: str, tickets: Mapping[str, int]) -> int:
        policy = tickets.get(container_id, DEFAULT_POLICY)
        return _BY_DEFAULT if policy == DEFAULT_POLICY else self._slots[policy]

    def _remove(self, slots: Sequence[int]) -> None:
        self._maps["pq_slots"].delete_many([NUMBER.pack(slot) for slot in slots])
        self._feature.clear(self._maps, slots)

    def _taken(self) -> list[int]:
        return [NUMBER.unpack(key)[0] for key, _ in self._maps["pq_slots"].items()]

    def _write_tickets(self, tickets: Mapping[str, int]) -> None:
        table = self._maps["pq_tickets"]
        wanted = {pack_ticket_key(name): NUMBER.pack(self._slots[policy]) for name, policy in tickets.items()}
        table.update(wanted)
        table.delete_many([key for key, _ in table.items() if key not in wanted])

    def _adopt(self, children: Iterable[Child], tickets: Mapping[str, int]) -> None:
        """Bind what was there before the kernel program that binds what is made."""
        table = self._maps["pq_bindings"]
        for child in children:
            slot = self._slot_of(child.name, tickets) if child.kind is BindingKind.CONTAINER else _BY_DEFAULT
            value = BINDING.pack(slot, child.kind, child.name.encode()[: BINDING.size - 8])
            table.set(CGROUP.pack(child.cgroup), value, exclusive=True)

    def _turn(self, tickets: Mapping[str, int], *, only: str = "") -> bool:
        """Turn bound cgroups to the slots of the tickets; return whether one was turned."""
        table = self._maps["pq_bindings"]
        changed = {}
        for key, value in table.items():
            slot, kind, name = BINDING.unpack(value)
            if kind != BindingKind.CONTAINER:
                continue
            container_id = container_name(kind, name)
            wanted = self._slot_of(container_id, tickets)
            if slot != wanted and only in {"", container_id}:
                changed[key] = BINDING.pack(wanted, kind, name)
        table.update(changed)
        return bool(changed)

    def _renew(self) -> None:
        """Write the configuration with the next generation, so that every socket is judged again."""
        table = self._maps["pq_config"]
        config = KernelConfig(
            generation=generation_of(table.get(_ZERO) or _ZERO) % 0xFFFFFFFF + 1,
            default_slot=self._slots[DEFAULT_POLICY],
            host_netns=self._place.host_netns,
            parents=self._place.parents,
        )
        table.set(_ZERO, config.pack())

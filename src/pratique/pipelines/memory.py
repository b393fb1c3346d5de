"""A dictionary that forgets what was not put in for the longest time."""

from collections import OrderedDict
from typing import Generic, TypeVar

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class Memory(OrderedDict[_Key, _Value], Generic[_Key, _Value]):
    """A bounded dictionary: attackers decide how many keys there are.

    :param size: how many entries are kept
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self._size = size

    def __setitem__(self, key: _Key, value: _Value) -> None:
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > self._size:
            self.popitem(last=False)

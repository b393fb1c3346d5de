import msgspec
import pytest

from pratique import model
from pratique.model import ExecEvent, ExecFlag, ImageId, ImageIdentity, Severity


def test_every_value_that_is_listed_exists_once() -> None:
    assert len(set(model.__all__)) == len(model.__all__)
    assert all(hasattr(model, name) for name in model.__all__)


def test_every_value_is_frozen() -> None:
    structs = [value for name in model.__all__ if isinstance(value := getattr(model, name), msgspec.StructMeta)]
    assert len(structs) > 15
    assert all(struct.__struct_config__.frozen for struct in structs)


def test_severities_are_ordered() -> None:
    assert [severity.rank for severity in Severity] == list(range(6))
    assert Severity.CRITICAL.rank > Severity.HIGH.rank > Severity.UNKNOWN.rank


def test_image_is_named_by_its_first_reference_or_its_short_id() -> None:
    image_id = ImageId("sha256:" + "ab" * 32)
    assert ImageIdentity(image_id, references=("a:1", "b:2")).name == "a:1"
    assert ImageIdentity(image_id).name == "abababababab"


def test_values_survive_json() -> None:
    event = ExecEvent(1.5, 1, 2, 3, 0, "/bin/x", "", ("x",), "x", "sh", ExecFlag.UPPER | ExecFlag.KILLED)
    assert msgspec.json.decode(msgspec.json.encode(event), type=ExecEvent) == event


def test_values_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        ImageIdentity(ImageId("sha256:0")).id = ImageId("x")  # type: ignore[misc]

import re

import pratique.errors as module
from pratique.errors import PratiqueError


def classes() -> dict[str, type[PratiqueError]]:
    return {
        name: value
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, PratiqueError)
    }


def test_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    assert module.__doc__ is not None
    drawn = dict(re.findall(r"(\w+Error) +(\d)", module.__doc__))
    assert drawn == {name: str(value.exit_code) for name, value in classes().items()}


def test_error_says_what_and_what_next() -> None:
    for kind in classes().values():
        error = kind("layer 3 cannot be read", hint="pull the image again")
        assert (str(error), error.what, error.hint) == (error.what, "layer 3 cannot be read", "pull the image again")
        assert kind("x").hint == kind.usual_hint


def test_every_input_that_is_broken_has_a_next_step() -> None:
    for kind in (module.ImageError, module.PolicyError, module.AdvisoryError, module.StoreError, module.UsageError):
        assert kind("x").hint


def test_gate_and_incompleteness_have_exit_codes_of_their_own() -> None:
    assert {value.exit_code for value in classes().values()} == {1, 2, 3}
    assert module.GateError.exit_code == 2
    assert module.IncompleteError.exit_code == 3

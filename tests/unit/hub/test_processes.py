from pratique.hub.views.alerts import AlertItem
from pratique.hub.views.processes import Process, process_tree
from pratique.model import Action, Severity


def _alert(number: int, file: str, parent: str, *, action: Action = Action.ALERTED) -> AlertItem:
    return AlertItem(
        id=number,
        at=float(number),
        last_at=float(number),
        count=1,
        rule="exec.drift",
        severity=Severity.HIGH,
        title="",
        action=action,
        techniques=(),
        image="",
        image_name="",
        container="c",
        container_name="",
        evidence={"file": file, "pid": str(number), "parent": parent},
    )


def test_what_a_program_started_stands_below_it() -> None:
    (root,) = process_tree([_alert(2, "/tmp/miner", "loader"), _alert(1, "/tmp/loader", "sh")])
    assert (root.name, root.bad) == ("sh", False)
    (loader,) = root.children
    (miner,) = loader.children
    assert (loader.name, miner.name, miner.children) == ("/tmp/loader", "/tmp/miner", ())


def test_names_are_compared_as_the_kernel_cuts_them() -> None:
    (root,) = process_tree([_alert(1, "/tmp/a-very-long-name-indeed", "sh"), _alert(2, "/x", "a-very-long-nam")])
    assert root.children[0].children[0].name == "/x"


def test_programs_that_started_each_other_end() -> None:
    roots = process_tree([_alert(1, "/a", "b"), _alert(2, "/b", "a")])
    assert len(roots) == 1


def test_program_that_starts_itself_ends() -> None:
    (root,) = process_tree([_alert(number, "/a", "a") for number in range(1, 40)])
    assert len(root.children) == 39


def test_a_killed_program_is_told_as_such_and_other_alerts_are_left_out() -> None:
    killed = _alert(1, "/a", "sh", action=Action.KILLED)
    no_program = AlertItem(
        **{name: getattr(killed, name) for name in killed.__struct_fields__ if name != "evidence"}, evidence={}
    )
    (root,) = process_tree([killed, no_program])
    assert [child.killed for child in root.children] == [True]
    assert process_tree([no_program]) == ()


def _size(processes: tuple[Process, ...]) -> int:
    return sum(1 + _size(process.children) for process in processes)


def test_each_program_is_shown_once_however_many_share_a_name() -> None:
    layers = [(f"/tmp/c{layer + 1}", f"c{layer}") for layer in range(12) for _ in range(8)]
    tree = process_tree([_alert(number, *names) for number, names in enumerate(layers, 1)])
    assert _size(tree) == len(layers) + len(tree)


def test_programs_that_started_each_other_are_shown_beside_others() -> None:
    names = {root.name for root in process_tree([_alert(1, "/x", "sh"), _alert(2, "/a", "b"), _alert(3, "/b", "a")])}
    assert names == {"sh", "b"}

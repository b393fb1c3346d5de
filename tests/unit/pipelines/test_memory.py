from pratique.pipelines.memory import Memory


def test_the_entry_put_in_longest_ago_is_forgotten_first() -> None:
    memory: Memory[str, int] = Memory(2)
    memory["a"] = 1
    memory["b"] = 2
    memory["a"] = 3
    memory["c"] = 4
    assert dict(memory) == {"a": 3, "c": 4}


def test_a_forgotten_key_may_come_back() -> None:
    memory: Memory[int, int] = Memory(1)
    for number in range(5):
        memory[number] = number
    memory[0] = 7
    assert dict(memory) == {0: 7}

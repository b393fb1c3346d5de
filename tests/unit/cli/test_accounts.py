"""What a running agent tells, when nobody reads it any more."""

import os
import subprocess
import sys

import pytest

PROGRAM = """
import os
from pratique.cli.agent import JournalAccount
from pratique.cli.up import ScreenAccount
account = {account}()
for _ in range(3):
    account.say("something")
    account.warn("something else", "a hint")
os.write({told}, b"goes on")
"""


@pytest.mark.parametrize("account", ["ScreenAccount", "JournalAccount"])
@pytest.mark.parametrize("reader", ["gone", "full"])
def test_agent_goes_on_when_what_it_says_cannot_be_written(account: str, reader: str) -> None:
    if reader == "full":
        nowhere = os.open("/dev/full", os.O_WRONLY)
    else:
        end, nowhere = os.pipe()
        os.close(end)
    told, other = os.pipe()
    program = PROGRAM.format(account=account, told=other)
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=nowhere, stderr=nowhere, pass_fds=[other], check=False
    )
    os.close(other)
    os.close(nowhere)
    assert os.read(told, 100) == b"goes on"
    os.close(told)
    assert done.returncode == 0

"""Delivers one message: within a deadline, and without a word about the URL's secrets."""

import asyncio
import os
import sys
from typing import Final

import msgspec

from pratique.errors import NetworkError
from pratique.exporters.delivery import Order
from pratique.exporters.message import Message
from pratique.exporters.targets import Target
from pratique.text import printable

DEADLINE_S: Final = 30.0
_MAX_REASON: Final = 300
_PASSED_ON: Final = ("PATH", "LANG", "TZ", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")


async def deliver(target: Target, message: Message, deadline_s: float = DEADLINE_S) -> None:
    """Deliver a message through Apprise, in a process of its own.

    :raises NetworkError: when it was not taken, or not within the deadline
    """
    environment = {
        name: value for name, value in os.environ.items() if name.upper() in _PASSED_ON or name.startswith("LC_")
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-I",
        "-m",
        "pratique.exporters.delivery",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environment,
        cwd="/",
    )
    order = Order(target.url, message.title, message.body, message.severity)
    try:
        async with asyncio.timeout(deadline_s):
            told, _ = await process.communicate(msgspec.json.encode(order))
    except TimeoutError as error:
        msg = f"{target.name} ({target.shown}) did not take a message within {deadline_s:.0f} s"
        raise NetworkError(msg) from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        reason = target.redact(printable(told.decode(errors="replace")))[:_MAX_REASON] or "the delivery failed"
        msg = f"{target.name} ({target.shown}) did not take a message: {reason}"
        raise NetworkError(msg, hint=f"'pratique notify test {target.name}' tries it now")

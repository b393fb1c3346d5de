"""Fetches published zips of advisories over HTTP."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import quote

import httpx2

from pratique.errors import NetworkError, UsageError

PUBLISHED: Final = "https://osv-vulnerabilities.storage.googleapis.com"
"""Where OSV publishes one zip for each ecosystem: ``ECOSYSTEM/all.zip`` (https://google.github.io/osv.dev/data/)."""
MAX_BYTES: Final = 4 << 30
TIMEOUT_S: Final = 30.0
"""For the connection, and for each piece of the answer."""
DEADLINE_S: Final = 1800.0
"""For one whole file."""
_CHUNK: Final = 1 << 20
_HINT: Final = "fetch it elsewhere and take it with 'pratique db import FILE'; the database stays as it was"


def download(
    base: str, ecosystem: str, target: Path, *, progress: Callable[[int], None], max_bytes: int = MAX_BYTES
) -> str:
    """Fetch ``base/ecosystem/all.zip`` into a file and return the address.

    :param progress: called with the number of bytes so far
    :raises UsageError: when the address is not one of http or https
    :raises NetworkError: when the file cannot be had whole
    """
    url = f"{base.rstrip('/')}/{quote(ecosystem)}/all.zip"
    if not url.startswith(("https://", "http://")):
        msg = f"{base} is not an address that begins with https:// or http://"
        raise UsageError(msg, hint="'pratique db import FILE' takes advisories from disk")
    deadline = time.monotonic() + DEADLINE_S
    size = 0
    try:
        with (
            httpx2.Client(follow_redirects=True, max_redirects=3, timeout=TIMEOUT_S) as client,
            client.stream("GET", url) as response,
            target.open("wb") as stream,
        ):
            response.raise_for_status()
            for chunk in response.iter_bytes(_CHUNK):
                size += len(chunk)
                if size > max_bytes:
                    raise _failed(url, f"more than {max_bytes} bytes")
                if time.monotonic() > deadline:
                    raise _failed(url, f"not done after {DEADLINE_S:.0f} s")
                stream.write(chunk)
                progress(size)
    except httpx2.HTTPStatusError as error:
        raise _failed(url, f"the server answered {error.response.status_code}") from error
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        raise _failed(url, str(error) or type(error).__name__) from error
    except OSError as error:
        raise _failed(url, f"{target.parent} cannot be written: {error.strerror}") from error
    return url


def _failed(url: str, why: str) -> NetworkError:
    return NetworkError(f"{url} cannot be fetched: {' '.join(why.split())}", hint=_HINT)

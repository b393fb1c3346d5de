"""Where things are on this host: one frozen value, assembled from defaults, a file, the environment and flags.

Flags beat the environment, the environment beats the file, the file beats the defaults. Only this module reads
``PRATIQUE_*`` variables and ``/etc/pratique/pratique.yaml``; rooms below get values.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from pratique.errors import UsageError

CONFIG_FILE: Final = Path("/etc/pratique/pratique.yaml")
_MAX_CONFIG_BYTES: Final = 1 << 20


class Options(Struct, frozen=True, forbid_unknown_fields=True):
    """Options that more than one command needs. Each is also an environment variable: ``PRATIQUE_STATE_DIR`` …"""

    state_dir: str = "/var/lib/pratique"
    """The store, the advisory database, the policy in force."""
    run_dir: str = "/run/pratique"
    """Lock and state of the running agent."""
    docker_host: str = "unix:///var/run/docker.sock"
    """The engine, as in ``DOCKER_HOST``; only ``unix://`` and ``tcp://`` on loopback."""
    cgroup_parent: str = ""
    """Where the engine puts containers; empty: found out from the engine (``/docker``, ``/system.slice``)."""
    pin_dir: str = "/sys/fs/bpf/pratique"
    """Where programs, maps and links are pinned."""
    plugin_name: str = "pratique"
    """The name of the authorization plugin, as in the engine's ``daemon.json``."""
    plugin_dir: str = "/run/docker/plugins"
    """Where the engine looks for the plugin's socket."""
    daemon_json: str = "/etc/docker/daemon.json"
    """The engine's configuration file that ``guard install`` edits."""
    retention_days: int = 30
    """How long flows and alerts are kept; images, reports and decisions are kept for ever."""
    console: str = "127.0.0.1:8470"
    """Where the console is served: ``address:port``, or ``off``."""
    console_names: str = ""
    """Names by which browsers may ask for the console besides its address, separated by commas."""
    metrics: str = "off"
    """Where Prometheus may read the agent's counters: ``address:port``, for instance ``127.0.0.1:9470``."""
    notify: str = "/etc/pratique/notify.yaml"
    """Who is told of alerts; it need not be there."""
    store_url: str = ""
    """A database of PostgreSQL to keep the records in: ``postgresql+psycopg://user:password@host/database``."""

    @property
    def store(self) -> Path | str:
        """Where the records are: the SQLite database, or the URL of one of PostgreSQL."""
        return self.store_url or self.store_path

    @property
    def store_path(self) -> Path:
        """The SQLite database."""
        return Path(self.state_dir) / "pratique.db"

    @property
    def advisories_path(self) -> Path:
        """The advisory database."""
        return Path(self.state_dir) / "advisories.db"

    @property
    def policy_path(self) -> Path:
        """The policy in force."""
        return Path(self.state_dir) / "policy.yaml"

    @property
    def plugin_socket(self) -> Path:
        """The socket that the engine asks for authorization."""
        return Path(self.plugin_dir) / f"{self.plugin_name}.sock"


def load(flags: Mapping[str, str | None] | None = None, *, file: Path = CONFIG_FILE) -> Options:
    """Assemble the options.

    :param flags: what the command line gave; ``None`` values mean "not given"
    :raises UsageError: when the file cannot be read or has an unknown key
    """
    values: dict[str, object] = {}
    if file.exists():
        values.update(_from_file(file))
    for name in Options.__struct_fields__:
        variable = "DOCKER_HOST" if name == "docker_host" else f"PRATIQUE_{name.upper()}"
        value = os.environ.get(f"PRATIQUE_{name.upper()}") or os.environ.get(variable)
        if value:
            values[name] = value
    values.update({name: value for name, value in (flags or {}).items() if value is not None})
    try:
        options = msgspec.convert(values, Options, strict=False)
    except msgspec.ValidationError as error:
        msg = f"an option has a value that cannot be: {error}"
        raise UsageError(msg, hint="see docs/configuration.md for the keys and the environment variables") from error
    if options.retention_days < 1:
        msg = f"retention_days is {options.retention_days}, but records are kept for at least a day"
        raise UsageError(msg)
    return options


def _from_file(file: Path) -> dict[str, object]:
    from pratique.policy import strict  # noqa: PLC0415  # YAML is slow to import, and most hosts have no such file

    try:
        if not file.is_file():
            msg = "it is not a file"
            raise ValueError(msg)  # noqa: TRY301  # told as everything that makes it unusable
        with file.open("rb") as stream:
            text = stream.read(_MAX_CONFIG_BYTES + 1)
        if len(text) > _MAX_CONFIG_BYTES:
            msg = f"it is larger than {_MAX_CONFIG_BYTES} bytes"
            raise ValueError(msg)  # noqa: TRY301
        options = strict.decode(text, Options)
    except (OSError, ValueError) as error:
        msg = f"configuration {file} cannot be used: {error}"
        raise UsageError(msg, hint="see docs/configuration.md for the keys") from error
    defaults = Options()
    return {
        name: value
        for name in Options.__struct_fields__
        if (value := getattr(options, name)) != getattr(defaults, name)
    }

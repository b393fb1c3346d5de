"""Names and ports of mining pools, and names of miners. Data; lower case."""

from typing import Final

_DOMAINS: Final = """
2miners.com antpool.com c3pool.com crypto-pool.fr cryptonight.net dwarfpool.com ethermine.org f2pool.com flexpool.io
flypool.org hashvault.pro herominers.com hiveon.net kryptex.network miningocean.org miningpoolhub.com minergate.com
minexmr.com minexmr.to monerohash.com moneroocean.stream monerop.com moneropool.com nanopool.org nicehash.com
poolbinance.com poolin.com prohashing.com ravenminer.com skypool.org slushpool.com supportxmr.com unmineable.com
viabtc.com woolypooly.com xmr.pt xmrpool.eu xmrpool.net xmrpool.xyz zergpool.com zpool.ca
"""
_PROGRAMS: Final = """
bminer ccminer cgminer cpuminer cpuminer-multi ethminer gminer kdevtmpfsi lolminer minerd minergate minergate-cli
nanominer nbminer nheqminer phoenixminer rhminer srbminer srbminer-multi t-rex teamredminer wildrig-multi xmr-stak
xmr-stak-cpu xmrig xmrig-cuda xmrig-proxy xmrigcc xmrigdaemon xmrigminer
"""

DOMAINS: Final = frozenset(_DOMAINS.split())
"""A query for one of these or for a name below it."""

PROGRAMS: Final = frozenset(_PROGRAMS.split())
"""Base names of executables."""

PORTS: Final = frozenset({3333, 14433, 14444, 45560, 45700})
"""Used by pools and by hardly anything else; 4444, 5555, 7777, 8080 … have too many honest users."""

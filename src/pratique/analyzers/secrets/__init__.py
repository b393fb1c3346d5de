"""Secrets in the text files of an image; the kinds are data, in ``rules.yaml``."""

from pratique.analyzers.secrets.analyzer import Secrets
from pratique.analyzers.secrets.rules import find_secrets

__all__ = ["Secrets", "find_secrets"]

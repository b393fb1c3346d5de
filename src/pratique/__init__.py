"""Pratique: a defence for containers over their whole life."""

__version__ = "0.1.0"

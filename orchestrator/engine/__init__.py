"""The Docker engine: the only package that imports docker-py, and that turns its errors into ours."""

from orchestrator.engine.client import Engine, Found, ImageFacts, State, connect
from orchestrator.engine.session import ExecSession

__all__ = ["Engine", "ExecSession", "Found", "ImageFacts", "State", "connect"]

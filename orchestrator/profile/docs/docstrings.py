"""What a model says of its keys: the text that stands below each, read from the source only when it is asked for.

Pydantic could collect it as each class is made, at the price of parsing every model's source whenever orch starts.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise

from pydantic import BaseModel


def key_docstrings(model: type[BaseModel]) -> dict[str, str]:
    """Return the docstring of each key of a model that has one; a class's own wins over its bases'."""
    found: dict[str, str] = {}
    for owner in reversed(model.__mro__):
        if model.model_fields.keys() & inspect.get_annotations(owner).keys():
            found |= _own(owner)
    return {key: text for key, text in found.items() if key in model.model_fields}


def _own(owner: type) -> dict[str, str]:
    source = ast.parse(textwrap.dedent(inspect.getsource(owner)))
    body = next(node.body for node in source.body if isinstance(node, ast.ClassDef))
    return {
        key.target.id: inspect.cleandoc(below.value.value)
        for key, below in pairwise(body)
        if isinstance(key, ast.AnnAssign)
        and isinstance(key.target, ast.Name)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }

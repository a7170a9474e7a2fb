"""What a model says of its keys: the text that stands below each, read from the source only when it is asked for.

Pydantic could collect it as each class is made, at the price of parsing every model's source whenever orch starts.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import pairwise


def key_docstrings(model: type) -> dict[str, str]:
    """Return the docstring of each key of a model that has one, inherited keys left out."""
    source = ast.parse(textwrap.dedent(inspect.getsource(model)))
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

"""A table as lines: every cell whole, however narrow the terminal; headings and title in style where colours are."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

BOLD, ITALIC, PLAIN = "\x1b[1m", "\x1b[3m", "\x1b[0m"
CONTROLS = dict.fromkeys([*range(10), *range(11, 32), 127])
"""Characters that a terminal would obey instead of showing; a line break begins another line of a cell."""


@dataclass(frozen=True)
class Grid:
    """A table of texts."""

    headings: tuple[str, ...]
    rows: Sequence[Sequence[str]]
    right: Collection[int] = ()
    """Columns that are aligned on the right, counted from 0."""
    title: str = ""
    bare: bool = False
    """Without lines and margins, for a list that is hardly a table."""

    @property
    def width(self) -> int:
        """Return how many columns of a terminal the table takes."""
        return self._span(self._widths())

    def lines(self, *, styled: bool) -> Iterator[str]:
        """Yield the table line by line, all of the rows equally long."""
        widths = self._widths()
        width = self._span(widths)
        bold, italic, plain = (BOLD, ITALIC, PLAIN) if styled else ("", "", "")
        if self.title:
            yield f"{italic}{_shown(self.title)}{plain}"
        rule = [] if self.bare else [f" {'─' * (width - 2)} "]
        blank = [] if self.bare else [" " * width]
        yield from blank
        headings, *rows = self._cells
        for parts in itertools.zip_longest(*headings, fillvalue=""):
            yield f"{bold}{self._line(parts, widths)}{plain}"
        yield from rule
        for row in rows:
            for parts in itertools.zip_longest(*row, fillvalue=""):
                yield self._line(parts, widths)
        yield from blank

    def _span(self, widths: Sequence[int]) -> int:
        gap, margin = (2, 0) if self.bare else (3, 1)
        return sum(widths) + gap * (len(widths) - 1) + 2 * margin

    def _widths(self) -> list[int]:
        return [max(_width(line) for cell in column for line in cell) for column in zip(*self._cells, strict=True)]

    @functools.cached_property
    def _cells(self) -> list[list[list[str]]]:
        """The lines of each cell, those of the headings first."""
        return [[_shown(cell).split("\n") for cell in row] for row in (self.headings, *self.rows)]

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = []
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            space = " " * (width - _width(cell))
            padded.append(space + cell if index in self.right else cell + space)
        return "  ".join(padded) if self.bare else f" {'   '.join(padded)} "


def _shown(text: str) -> str:
    return text.translate(CONTROLS)


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)

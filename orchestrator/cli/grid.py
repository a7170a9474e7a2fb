"""A table as lines: every cell whole, however narrow the terminal; headings and title in style where colours are."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len

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
        yield f"{bold}{self._line(self.headings, widths)}{plain}"
        yield from rule
        for row in self.rows:
            for parts in itertools.zip_longest(*(_shown(cell).split("\n") for cell in row), fillvalue=""):
                yield self._line(parts, widths)
        yield from blank

    def _span(self, widths: Sequence[int]) -> int:
        gap, margin = (2, 0) if self.bare else (3, 1)
        return sum(widths) + gap * (len(widths) - 1) + 2 * margin

    def _widths(self) -> list[int]:
        cells = itertools.chain([self.headings], self.rows)
        by_row = ([max(map(_width, _shown(cell).split("\n"))) for cell in row] for row in cells)
        return [max(column) for column in zip(*by_row, strict=True)]

    def _line(self, cells: Sequence[str], widths: Sequence[int]) -> str:
        padded = []
        for index, (cell, width) in enumerate(zip(cells, widths, strict=True)):
            space = " " * (width - _width(cell))
            padded.append(space + cell if index in self.right else cell + space)
        return "  ".join(padded) if self.bare else f" {'   '.join(padded)} "


def _shown(text: str) -> str:
    return text.translate(CONTROLS)


def _width(text: str) -> int:
    return len(text) if text.isascii() else cell_len(text)

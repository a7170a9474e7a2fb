"""Clears the mark of an executable stack from shared libraries: glibc from 2.41 on refuses to load what bears it.

Some wheels of that time bear it by mistake (Intel's extension for torch 2.6); nothing in them runs on the stack.
Format: the ELF-64 file header and its program headers, as in elf(5), little-endian.
"""

import struct
import sysconfig
from pathlib import Path

MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little-endian
TABLE_OFFSET, TABLE_SHAPE = 32, 54  # e_phoff; e_phentsize and e_phnum
TYPE_AND_FLAGS = struct.Struct("<II")  # p_type, p_flags: they open each program header
GNU_STACK = 0x6474E551
EXECUTABLE, READ_WRITE = 1, 6  # of p_flags


def place_of_mark(library: Path) -> int | None:
    """Return where in the file the header that asks for an executable stack begins; None where none does."""
    with library.open("rb") as file:
        head = file.read(64)
        if not head.startswith(MAGIC):
            return None
        (table,) = struct.unpack_from("<Q", head, TABLE_OFFSET)
        size, count = struct.unpack_from("<HH", head, TABLE_SHAPE)
        for place in range(table, table + size * count, size):
            file.seek(place)
            kind, flags = TYPE_AND_FLAGS.unpack(file.read(TYPE_AND_FLAGS.size))
            if kind == GNU_STACK and flags & EXECUTABLE:
                return place
    return None


def clear_mark(library: Path, place: int) -> None:
    """Make the header at a place of a library ask for a stack that is read and written alone."""
    with library.open("r+b") as file:
        file.seek(place)
        file.write(TYPE_AND_FLAGS.pack(GNU_STACK, READ_WRITE))


def main() -> None:
    """Clear it wherever it is and say where that was."""
    site_packages = Path(sysconfig.get_path("purelib"))
    libraries = (path for path in sorted(site_packages.rglob("*.so*")) if path.is_file() and not path.is_symlink())
    for library in libraries:
        place = place_of_mark(library)
        if place is not None:
            clear_mark(library, place)
            print(f"no executable stack any more: {library.relative_to(site_packages)}")


if __name__ == "__main__":
    main()

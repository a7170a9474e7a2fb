"""The node lock: at most one holder for each accelerator, across users, until its cleanup is over.

Each name is a file in a folder that all users share; holding is an exclusive kernel lock on it. The watchdog inherits
the locks, so the devices of a killed orch stay held while its container may still use them. A deployment that was
handed over has no process to hold a lock: a label of its container names what it holds, and is read under the lock.

A card may have several names, and each name has a lock of its own. So a process that takes accelerators takes the door
lock first, then checks the locks of all names that may mean the same card. The door lets in one process at a time.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from typing_extensions import Self

from orchestrator.accelerators import ALL, collide
from orchestrator.accelerators.names import ONE, is_card
from orchestrator.deployment.registry import deployments
from orchestrator.engine import Engine
from orchestrator.errors import Busy, EnvironmentFault
from orchestrator.events import Listener
from orchestrator.files import make_folder
from orchestrator.node.node import Node
from orchestrator.node.queue import queued
from orchestrator.text import Text

UNKNOWN = "another orch process"
DOOR = ".door"
"""The lock that is held while accelerators are being taken, and at no other time."""
DOOR_S = 30.0
"""How long a process waits for the door lock; each holder needs it for a moment only."""
LOOKS = 40
LOOK_S = 0.025
"""How often, and how long apart, a refused process reads the holder's name."""


class Hold:
    """Locked names, held by this process and every process that inherits its descriptors."""

    def __init__(self, names: tuple[str, ...], files: tuple[int, ...]) -> None:
        self.names = names
        self.files = files
        """Descriptors of the locked files; a process that inherits them holds as well."""

    def release(self) -> None:
        """Release the names; each lock ends when every process that inherited it has released it too."""
        files, self.files = self.files, ()  # forgotten first: a signal may come between, and nothing is closed twice
        for file in files:
            os.close(file)


class Holds:
    """The hold that successive launches share: nobody else can take the same names between two of them."""

    def __init__(self) -> None:
        self._last = Hold((), ())

    def __enter__(self) -> Self:
        """Begin with nothing."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go."""
        self.release()

    def take(
        self,
        names: tuple[str, ...],
        node: Node,
        who: str,
        wait_s: float | None,
        tell: Listener,
    ) -> Hold:
        """Return the hold on these names: the last launch's if its names are the same, else a new one from `take`."""
        if names != self._last.names:
            self.release()  # before the wait: two studies that each want what the other has would wait for ever
            self._last = take(names, node, who, wait_s, tell)
        return self._last

    def release(self) -> None:
        """Let go of everything."""
        last, self._last = self._last, Hold((), ())
        last.release()


def take(
    names: tuple[str, ...],
    node: Node,
    who: str,
    wait_s: float | None,
    tell: Listener,
) -> Hold:
    """Return the hold on all of these names.

    Args:
        names: The names to hold; an empty tuple is always granted.
        node: Where they are; its engine is asked for deployments that were handed over.
        who: What others are told about this holder.
        wait_s: How long to wait for others to let go; None does not wait.
        tell: Told once why there is a wait.

    Raises:
        Busy: Somebody else holds one of the names, and did so until the wait was over.
    """
    if not names:
        return Hold((), ())

    def attempt() -> Hold:
        hold = _try(names, node.locks, who)
        try:
            _refuse_handed_over(names, node.engine)
        except BaseException:
            hold.release()
            raise
        return hold

    return queued(attempt, wait_s, tell)


def _try(names: tuple[str, ...], folder: Path, who: str) -> Hold:
    _make_shared(folder)
    # Whoever wants single accelerators shares the lock on all of them, so that one who wants all must wait.
    single = any(is_card(name) for name in names)
    files: list[int] = []
    try:
        with _door(folder) if single or ALL in names else contextlib.nullcontext():
            for name in sorted({*names, *([ALL] if single else [])}):
                shared = name == ALL and ALL not in names
                files.append(_lock(folder / name.replace("/", "-"), who, shared=shared))
            _refuse_other_names(names, folder)
    except BaseException:
        for file in files:
            os.close(file)
        raise
    return Hold(names, tuple(files))


@contextlib.contextmanager
def _door(folder: Path) -> Iterator[None]:
    """Hold the door lock while the context lasts; raise Busy if another process keeps it for `DOOR_S`."""
    file = _open_shared(folder / DOOR)
    try:
        end = time.monotonic() + DOOR_S
        while not _granted(file, shared=False):
            if time.monotonic() > end:
                raise Busy(
                    Text("accelerators are being taken by {unknown}", unknown=UNKNOWN),
                    "Is one stopped?  See: ps aux | grep orch",
                )
            time.sleep(LOOK_S)
        os.utime(file)
        yield
    finally:
        os.close(file)


def _refuse_other_names(names: tuple[str, ...], folder: Path) -> None:
    """Raise Busy if somebody holds what may be one of these accelerators by another name."""
    cards = {name.replace("/", "-") for name in names if is_card(name)}
    for path in sorted(folder.glob(f"{ONE}*")) if cards else ():
        alike = next((name for name in sorted(cards) if collide((name,), (path.name,))), "")
        if alike and path.name not in cards and (holder := _holder_if_held(path)):
            raise Busy(
                Text("{path}, which may be {alike}, is held by {holder}", path=path.name, alike=alike, holder=holder),
                "See: orch ps   Or queue for it: --wait 2h",
            )


def _lock(path: Path, who: str, *, shared: bool) -> int:
    with contextlib.ExitStack() as undo:
        file = _open_shared(path)
        undo.callback(os.close, file)
        if not _granted(file, shared=shared) and (holder := _current_holder(path, file, shared=shared)):
            raise Busy(
                Text("{path} is held by {holder}", path=path.name, holder=holder),
                "See: orch ps   Or queue for it: --wait 2h",
            )
        if shared:
            os.utime(file)  # what clears old files away goes by this
        else:
            text = json.dumps({"who": who, "since": time.time()}).encode()
            os.ftruncate(file, 0)
            os.pwrite(file, text, 0)
        undo.pop_all()
    return file


def _granted(file: int, *, shared: bool) -> bool:
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _current_holder(path: Path, file: int, *, shared: bool) -> str:
    """Return the holder's name, or "" if the lock became free and was taken.

    A holder locks first and writes its name second, and a process that only looks for a holder has the lock for a
    moment. So a name counts only when it was read twice.
    """
    holder = UNKNOWN
    for _ in range(LOOKS):
        before, holder = holder, _holder(path) if shared or path.name != ALL else _any_holder(path)
        if holder == before != UNKNOWN:
            break
        time.sleep(LOOK_S)
        if _granted(file, shared=shared):
            return ""
    return holder


def _any_holder(everything: Path) -> str:
    """Return the holder of all accelerators, or of any one of them: both block a request for all."""
    paths = (everything, *sorted(everything.parent.glob(f"{ONE}*")))
    return next(filter(None, (_holder_if_held(path, shared=path == everything) for path in paths)), UNKNOWN)


def _holder_if_held(path: Path, *, shared: bool = False) -> str:
    """Return the holder of a lock, or "" if the lock is free."""
    file = _open_shared(path)
    try:
        return "" if _granted(file, shared=shared) else _holder(path)
    finally:
        os.close(file)


def _holder(path: Path) -> str:
    text = path.read_text(encoding="utf-8", errors="replace")
    with contextlib.suppress(ValueError, KeyError, TypeError):
        told = json.loads(text)
        return f"{told['who']} since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(told['since']))}"
    return text or UNKNOWN


def _open_shared(path: Path) -> int:
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        with contextlib.suppress(FileExistsError):
            file = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
            os.fchmod(file, 0o666)  # whatever the umask
            return file
        # Without O_CREAT: kernels refuse that flag for another user's file in a sticky folder.
        return os.open(path, flags)
    except OSError as error:
        raise EnvironmentFault(
            Text("the lock {path} cannot be opened: {strerror}", path=path, strerror=error.strerror),
            "Remove it, or ask its owner to.",
        ) from error


def _make_shared(folder: Path) -> None:
    if folder.is_dir():
        return
    make_folder(folder)
    with contextlib.suppress(PermissionError):  # somebody else made it in this moment
        folder.chmod(0o1777)


def _refuse_handed_over(names: tuple[str, ...], engine: Engine) -> None:
    for deployment in deployments(engine):  # whoever is at one of its own holds a lock that has failed already
        # Whoever measures in one that has died may be about to start it again; one that is paused keeps its memory.
        wanted = deployment.status in ("running", "paused") or deployment.tenure.owned
        if wanted and collide(names, deployment.holds):
            what, until = ", ".join(deployment.holds), deployment.held(time.time())
            raise Busy(
                Text(
                    "{what} is held by the deployment {deployment} ({until})",
                    what=what,
                    deployment=deployment.name,
                    until=until,
                ),
                Text("orch down {deployment}   Or queue for it: --wait 2h", deployment=deployment.name),
            )

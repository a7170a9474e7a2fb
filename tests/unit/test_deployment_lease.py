"""The lease: the kernel's lock says whether the owner lives, the content until when a server may run without one."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from typing import TYPE_CHECKING

import pytest
from processes import python

from orchestrator.deployment.lease import FILE, Lease, Tenure, deadline, in_use, read_tenure, renew
from orchestrator.errors import Busy, EnvironmentFault
from orchestrator.events import Event, Waiting

if TYPE_CHECKING:
    from pathlib import Path

OWNER = """
import sys, time
from pathlib import Path
from orchestrator.deployment.lease import Lease
lease = Lease(Path(sys.argv[1]))
print("owned", flush=True)
time.sleep(600)
"""

USER = """
import sys, time
from pathlib import Path
from orchestrator.deployment.lease import in_use
with in_use(Path(sys.argv[1]), "tiny"):
    print("in use", flush=True)
    time.sleep(600)
"""

OWNED = Tenure(owned=True, known=True)
OVER = Tenure(owned=False, known=True, until=0)
UNKNOWN = Tenure(owned=False, known=False)


def test_a_lease_is_owned_from_its_making_to_its_release(tmp_path: Path) -> None:
    lease = Lease(tmp_path)
    assert read_tenure(tmp_path) == OWNED
    lease.release()
    assert read_tenure(tmp_path) == OVER
    lease.release()


def test_a_lease_ends_with_its_owner(tmp_path: Path) -> None:
    with subprocess.Popen(python("-c", OWNER, str(tmp_path)), stdout=subprocess.PIPE) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"owned\n"
        assert read_tenure(tmp_path) == OWNED
        owner.kill()
        owner.wait()
    assert read_tenure(tmp_path) == OVER
    assert read_tenure(tmp_path).expired(time.time())


def test_a_lease_is_not_inherited(tmp_path: Path) -> None:
    lease = Lease(tmp_path)
    with subprocess.Popen(["sleep", "600"], close_fds=False) as child:
        lease.release()
        assert read_tenure(tmp_path) == OVER
        child.kill()


@pytest.mark.parametrize("until", [None, 1234.5, 2e9])
def test_a_lease_can_be_handed_over_for_good_or_for_a_time(tmp_path: Path, until: float | None) -> None:
    Lease(tmp_path).hand_over(until)
    assert read_tenure(tmp_path) == Tenure(owned=False, known=True, until=until)
    assert json.loads((tmp_path / FILE).read_bytes()) == until


def test_a_deployment_is_wanted_while_it_is_owned_or_has_time_left_or_is_not_known() -> None:
    assert OVER.expired(100)
    assert Tenure(owned=False, known=True, until=99.0).expired(100)
    assert not Tenure(owned=False, known=True, until=101.0).expired(100)
    assert not Tenure(owned=False, known=True, until=None).expired(100)
    assert not OWNED.expired(100)
    assert not UNKNOWN.expired(100)


@pytest.mark.parametrize("content", [b"{", b"nonsense", b"\xff\xfe"])
def test_a_foreign_lease_is_not_known(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert read_tenure(tmp_path) == UNKNOWN


def test_a_missing_lease_is_not_known(tmp_path: Path) -> None:
    assert read_tenure(tmp_path) == UNKNOWN
    assert read_tenure(tmp_path / "gone") == UNKNOWN


def test_others_can_read_a_lease_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        Lease(tmp_path).release()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o644


def test_looking_does_not_disturb_a_new_owner(tmp_path: Path) -> None:
    Lease(tmp_path).release()
    for _ in range(100):
        read_tenure(tmp_path)
    Lease(tmp_path).release()


def test_a_deployment_that_was_handed_over_is_used_by_one_at_a_time(tmp_path: Path) -> None:
    Lease(tmp_path).hand_over(None)
    with in_use(tmp_path, "tiny"):
        assert read_tenure(tmp_path).owned
        with pytest.raises(Busy, match="the deployment tiny is in use"), in_use(tmp_path, "tiny"):
            pytest.fail("used twice")
    assert read_tenure(tmp_path) == Tenure(owned=False, known=True, until=None)
    with in_use(tmp_path, "tiny"):
        pass


def test_who_waits_uses_a_deployment_after_the_one_before(tmp_path: Path) -> None:
    Lease(tmp_path).hand_over(None)
    with subprocess.Popen(python("-c", USER, str(tmp_path)), stdout=subprocess.PIPE) as user:
        assert user.stdout is not None
        assert user.stdout.readline() == b"in use\n"
        told: list[Event] = []
        with pytest.raises(Busy, match="the deployment tiny is in use"), in_use(tmp_path, "tiny", 0.6, told.append):
            pytest.fail("used twice")
        assert told == [Waiting("the deployment tiny is in use by another orch process")]
        user.kill()
        user.wait()
    with in_use(tmp_path, "tiny", 600, told.append):
        assert len(told) == 1


def test_a_time_to_live_can_begin_anew(tmp_path: Path) -> None:
    Lease(tmp_path).hand_over(1234.56789)
    before = time.time()
    renew(tmp_path, 60.0)
    until = read_tenure(tmp_path).until
    assert until is not None
    assert before + 60 <= until <= time.time() + 60
    renew(tmp_path, 10.0**9)
    assert not read_tenure(tmp_path).expired(time.time() + 10**8)


def test_a_lease_that_is_not_ours_cannot_be_renewed(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="the time to live cannot be renewed: No such file or directory"):
        renew(tmp_path, 60.0)


def test_a_time_to_live_begins_now() -> None:
    before = time.time()
    until = deadline(60.0)
    assert until is not None
    assert before + 60 <= until <= time.time() + 60
    assert deadline(None) is None

"""Each call to a slow engine has a deadline of its own: a long one and short ones go on beside each other."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from engine.kit.command import STUB

from orchestrator.engine import client, connect
from orchestrator.plan import labels

if TYPE_CHECKING:
    from collections.abc import Callable

    from conftest import Session
    from engine.kit.proxy import Proxy

pytestmark = pytest.mark.engine

CREATE_S, SHORT_S = 3.0, 1


@pytest.mark.usefixtures("stub_node")
def test_short_calls_beside_a_slow_create_neither_cut_it_short_nor_wait_for_it(
    session: Session, proxied: Callable[..., Proxy], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "CALL_S", SHORT_S)
    proxy = proxied(create_delay_s=CREATE_S)
    mine = {labels.DEPLOYMENT: f"{session.prefix}-slow"}
    read: list[bytes] = []
    with closing(connect({"DOCKER_HOST": proxy.url})) as engine:
        reading = threading.Thread(target=lambda: read.append(engine.read_image_file(STUB, "/etc/passwd", mine)))
        reading.start()
        proxy.wait_for_request("/containers/create")
        asked = 0
        while reading.is_alive():
            began = time.monotonic()
            engine.find([f"{labels.DEPLOYMENT}={session.prefix}-slow"])
            assert time.monotonic() - began < CREATE_S
            asked += 1
        reading.join()
    assert read, "the create took longer than a short call may"
    assert read[0].startswith(b"root:")
    assert asked > 1

from __future__ import annotations

import os
import sys
import threading

import pytest

from sketchseek.server.dependencies import thumbnail_threads


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere niceness is the whole process's")
def test_threads_for_pictures_give_way_and_others_do_not() -> None:
    def niceness() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = niceness()
    with thumbnail_threads(1) as threads:
        assert threads.submit(niceness).result() == max(10, before)
    assert niceness() == before

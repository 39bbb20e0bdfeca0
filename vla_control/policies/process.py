# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""The process of a policy as its parent sees it: start, talk, end. Linux only."""

from contextlib import suppress
import json
import mmap
from multiprocessing.connection import Connection, wait
import os
from pathlib import Path
import socket
import subprocess
import sys
from typing import Any

from vla_control.policies.wire import pack_message, REGION, Region, unpack_message

# The search path comes as it is in the parent: an entry of PYTHONPATH would precede the standard
# library.
_BOOTSTRAP = (
    'import json, sys; sys.path[:] = json.loads(sys.argv.pop(1)); '
    'from vla_control.policies.child import main; sys.exit(main())'
)
_END = 2.0  # [s] for the kernel to end a killed process


class PolicyProcess:
    """
    One run of ``vla_control.policies.child``.

    A fresh interpreter, not a fork or a spawn: it shares no state, imports nothing of the
    parent's program, and nothing is pickled. Its memory and pipe are its own, so nothing of a
    dead process can reach the next one.
    """

    def __init__(self, function: str, arguments: tuple[Any, ...], priority: int = 0) -> None:
        """
        Start it; it loads the policy and then sends its description.

        :param function: ``package.module:function`` that makes the policy.
        :param priority: SCHED_FIFO of its hand-overs; 0 for none.
        """
        ours, theirs = socket.socketpair()
        life_theirs, self._life = os.pipe()
        region = os.memfd_create('vla_control-policy')
        os.ftruncate(region, REGION)
        self._memory = mmap.mmap(region, REGION)
        path = [p or str(Path.cwd()) for p in sys.path]
        # One thread is as fast for the small networks here and leaves the cores to control.
        environment = {'OMP_NUM_THREADS': '1', **os.environ}
        fds = (theirs.fileno(), region, life_theirs)
        try:
            self._child = subprocess.Popen(  # noqa: S603
                [sys.executable, '-c', _BOOTSTRAP, json.dumps(path), *map(str, fds)],
                pass_fds=fds,
                env=environment,
                stdin=subprocess.DEVNULL,
            )
        finally:
            theirs.close()
            os.close(region)
            os.close(life_theirs)
        self._pipe: Connection = Connection(ours.detach())
        self.send({'function': function, 'arguments': list(arguments), 'priority': priority})

    @property
    def pid(self) -> int:
        """Process id."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """Exit code; negative is the signal that ended it; None while it runs."""
        return self._child.poll()

    def alive(self) -> bool:
        """Tell whether it runs."""
        return self._child.poll() is None

    def region(self) -> Region:
        """Return the shared memory, to be filled from its start."""
        return Region(self._memory)

    def send(self, values: dict[str, Any]) -> bool:
        """Send a message; False when nobody is there to read it."""
        try:
            self._pipe.send_bytes(pack_message(values))
        except OSError:
            return False
        return True

    def receive(self) -> tuple[dict[str, Any], bytes] | None:
        """Return the next message, or None."""
        try:
            if not self._pipe.poll(0.0):
                return None
            return unpack_message(self._pipe.recv_bytes())
        except (EOFError, OSError):
            return None

    def wait(self, timeout: float) -> None:
        """Wait for a message or the death of the process, up to a timeout [s]."""
        with suppress(OSError):  # closed meanwhile by another thread
            wait([self._pipe], timeout)

    def close(self) -> None:
        """Kill the process: a policy holds no hardware, and a stuck one cannot be asked."""
        self._child.kill()
        self._child.wait(_END)
        self._pipe.close()
        os.close(self._life)
        self._memory.close()

# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
A robot in real time in a process of its own, for tests of locks and of its death.

``python driver_process.py <robot> <folder> <port> hold|drive``: hold serves the electronics of the
robot itself and keeps its driver connected; drive lets somebody else serve them, moves the robot,
and ends like the driver node does. Says what it does on stdout, one word a line.
"""

from dataclasses import replace
import os
from pathlib import Path
import signal
import socket
import subprocess
import sys
import threading

from benches import Bench, hung
import numpy as np

from vla_control.core.clock import SteadyClock
from vla_control.core.spec import load_robot
from vla_control.robots.factory import make_driver
from vla_control.runtime.control import RobotController
from vla_control.runtime.loop import ControlLoop
from vla_control.safety.supervisor import Event, Mode
from vla_control.sim.devices import open_device


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def private(spec, folder, port):
    """Return the robot on emulated buses of its own, so that no other test meets it."""
    parts = {
        side: private(part, Path(folder) / side, port + 1 + i)
        for i, (side, part) in enumerate(spec.parts.items())
    }
    bus = dict(hung(spec).bus)
    if 'port' in bus:
        bus['port'] = port
    if str(bus.get('channel', {}).get('sim', '')).startswith('/'):
        Path(folder).mkdir(parents=True, exist_ok=True)
        bus['channel'] = bus['channel'] | {'sim': str(Path(folder) / 'adapter')}
    if 'domain' in bus:
        bus['domain'] = bus['domain'] | {'sim': 50 + port % 180}
    return replace(spec, bus=bus, parts=parts)


def patient(spec):
    """
    Return the robot with more patience for what a busy machine does to two Python processes.

    The watchdog of the motors stays what it is.
    """
    parts = {side: patient(part) for side, part in spec.parts.items()}
    safety = replace(
        spec.safety,
        feedback_stop=0.5,
        feedback_fault=1.0,
        command_timeout=0.5,
        frozen_feedback=1.0,
        tracking_time=1.0,
    )
    return replace(spec, safety=safety, parts=parts)


def start(robot, folder, port, what):
    """Start this file as a process; its output can be read line by line."""
    return subprocess.Popen(
        [sys.executable, __file__, robot, str(folder), str(port), what],
        stdin=subprocess.PIPE,  # its end is that of this process
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {'PYTHONPATH': os.pathsep.join(p for p in sys.path if p)},
    )


def say(word):
    sys.stdout.write(f'{word}\n')
    sys.stdout.flush()


def hold(spec):
    clock = SteadyClock()
    device = open_device(spec)
    home, still = np.array(spec.home), np.zeros(len(spec.home))

    def serve():
        while True:
            device.measure(clock.now(), home, still)
            device.serve(clock.now(), 0.005)
            device.torques(clock.now())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    driver = make_driver(spec, 'sim', clock)
    driver.connect(clock.now())
    say('held')
    sys.stdin.read()


def drive(spec):
    class Live(Bench):
        """A bench on the steady clock, whose loop is a thread."""

        def __init__(self):
            self.spec, self.clock = spec, SteadyClock()
            self.controller = RobotController(spec, make_driver(spec, 'sim', self.clock))
            self.feed = None
            self.controller.configure(self.now)
            self.loop = ControlLoop(
                self.step, spec.dt, self.clock, on_failure=self.controller.shutdown
            )

        def step(self, now):
            if self.feed is not None:
                self.controller.put(self.feed(now))
            self.controller.tick(now)

        def until(self, condition, what, patience=10.0):
            end = self.now + patience
            while not condition():
                if self.now > end:
                    raise SystemExit(f'never happened: {what}; {self.reason}')
                self.clock.sleep_until(self.now + 0.002)

    stopped = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopped.set())
    live = Live()
    live.controller.activate(live.now)
    live.loop.start()
    live.feed = live.still
    live.controller.request(Event.RESUME)
    live.until(lambda: live.mode is Mode.RUN, 'RUN')
    live.feed = live.swing()
    live.clock.sleep_until(live.now + 1.2)  # gains and speed have come up
    say('moving')
    stopped.wait()
    live.controller.request(Event.HOLD)
    live.until(lambda: live.mode in (Mode.HOLD, Mode.FAULT), 'HOLD', 1.5)
    say(f'{live.mode.name}: {live.reason}')
    live.loop.stop()
    live.controller.shutdown(live.now)
    say('ended')


if __name__ == '__main__':
    name, place, number, task = sys.argv[1:]
    {'hold': hold, 'drive': drive}[task](patient(private(load_robot(name), place, int(number))))

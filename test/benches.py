# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""A robot under control on a hand-wound clock: over the ideal mirror, or over its own bus."""

from dataclasses import replace

from hearing import listen
from motions import middle
import numpy as np

from vla_control.core.clock import ManualClock
from vla_control.core.messages import ActionChunk, Reference
from vla_control.robots.dynamics import RobotDynamics
from vla_control.robots.factory import make_driver
from vla_control.robots.mock import Mock
from vla_control.runtime.control import RobotController
from vla_control.safety.supervisor import Event, Mode
from vla_control.sim.devices import loopback
from vla_control.sim.layout import sample_layout
from vla_control.sim.world import World


class Recorder:
    """A driver that keeps what is asked of it: one 'write' or 'safe' a tick."""

    def __init__(self, driver):
        self.driver = driver
        self.log = []

    def write(self, command, now):
        self.log.append('write')
        self.driver.write(command, now)

    def safe_action(self, now):
        self.log.append('safe')
        self.driver.safe_action(now)

    def __getattr__(self, name):
        return getattr(self.driver, name)


def hung(spec):
    """Return the robot in a harness, where it asks for one; emulated robots do not fall."""
    low = spec.bus.get('low_level')
    if low is None:
        return spec
    return replace(spec, bus=spec.bus | {'low_level': low | {'harness': True}})


class Bench:
    """A controller on the ideal mirror."""

    def __init__(self, spec, **options):
        self.spec = spec
        self.home = np.clip(np.array(spec.home), spec.lower, spec.upper)
        self.clock = ManualClock(100.0)
        self.driver = Recorder(self.make_driver())
        self.controller = RobotController(spec, self.driver, **options)
        self.held = None  # what an enabling device says each tick; None: there is none
        self.start()

    def make_driver(self):
        return Mock(self.spec, q=self.home)

    def start(self):
        self.controller.configure(self.now)

    @property
    def now(self):
        return self.clock.now()

    @property
    def mode(self):
        return self.controller.mode

    @property
    def reason(self):
        return self.controller.snapshot.reason

    @property
    def sent(self):
        """The positions commanded last."""
        return self.controller.snapshot.commanded.q

    def pass_time(self):
        """Live through one control period."""
        self.clock.advance(self.spec.dt)

    def tick(self, count=1, feed=None):
        """Do some periods and return the commanded positions, one row each."""
        rows = []
        for _ in range(count):
            self.pass_time()
            if feed is not None:
                self.controller.put(feed(self.now))
            if self.held is not None:
                self.controller.enable(self.held, self.now)
            self.controller.tick(self.now)
            rows.append(self.sent)
        return np.array(rows)

    def still(self, now):
        return at_rest(now, self.sent)

    def swing(self, size=0.1, rate=3.0):
        """Return a feed that sways every arm joint gently, beginning at rest here and now."""
        start, pose = self.now, self.sent.copy()
        room = np.maximum(np.minimum(self.spec.upper - pose, pose - self.spec.lower), 0.0)
        size = np.where(self.spec.gripper, 0.0, np.minimum(size, 0.4 * room))

        def at(now):
            angle = rate * (now - start)
            return Reference(
                stamp=now,
                q=pose + size * (1 - np.cos(angle)),
                v=size * rate * np.sin(angle),
                a=size * rate * rate * np.cos(angle),
            )

        return at

    def activate(self):
        self.controller.activate(self.now)
        self.tick(3)
        assert self.mode is Mode.HOLD

    def resume(self):
        self.controller.request(Event.RESUME)
        self.tick(1)

    def run(self):
        """Activate, resume and follow; then sway."""
        self.activate()
        self.tick(2)
        self.resume()
        self.tick(5, self.still)
        assert self.mode is Mode.RUN, self.reason
        return self.swing()

    def bring(self, mode):
        """Bring a fresh bench into a mode; where it moves there, it does move."""
        if mode is Mode.UNCONFIGURED:
            return
        if mode in (Mode.HOLD, Mode.FAULT):
            self.activate()
        if mode is Mode.READY:
            self.activate()
            self.resume()
        if mode in (Mode.RUN, Mode.STOPPING):
            self.tick_swing(self.run(), 60)
        if mode is Mode.STOPPING:
            self.controller.request(Event.HOLD)
            self.tick(1)
        if mode is Mode.FAULT:
            self.controller.request(Event.FAULT, 'something broke')
            self.tick(1)
        assert self.mode is mode

    def tick_swing(self, feed, count):
        return self.tick(count, feed)


class BusBench(Bench):
    """
    A controller on the robot's own driver, its bus in memory and its emulated electronics.

    The joints stand still, as if held by hand, unless ``step`` is replaced by physics.
    """

    def make_driver(self):
        self.spec = hung(self.spec)
        self.bus, self.device = loopback(self.spec)
        parts = self.spec.parts.values() or [self.spec]
        buses = self.bus if self.spec.parts else [self.bus]
        self.ears = [listen(*each) for each in zip(parts, buses, strict=True)]
        self.q, self.v = self.home.copy(), np.zeros(len(self.home))
        self.clock = ManualClock(100.0, wait=self.live)
        self.device.measure(self.now, self.q, self.v)
        buses = [ear.bus for ear in self.ears]
        bus = buses if self.spec.parts else buses[0]
        return make_driver(self.spec, 'sim', self.clock, bus=bus)

    @property
    def blends(self):
        """Whether commands are blended with those of the robot's own controller, by a weight."""
        return 'arm_sdk' in self.spec.bus

    @property
    def damping(self):
        """Of a joint without stiffness [N·m·s/rad]; 0 where it is never more than the spec's."""
        return self.spec.bus.get('low_level', {}).get('damping', 0.0)

    @property
    def fed(self):
        """Whether its weight is fed forward; it is not to a body that floats in a harness."""
        return 'low_level' not in self.spec.bus

    def told(self):
        """Return what the motors were told since the last call, oldest first, decoded."""
        return [sent for ear in self.ears for sent in ear.told()]

    def live(self, seconds):
        """Let the electronics live through some time, in steps of at most 2 ms."""
        steps = max(1, int(np.ceil(seconds / 0.002 - 1e-9)))
        for _ in range(steps):
            self.device.serve(self.now)
            self.step(self.device.torques(self.now), seconds / steps)
            self.clock.advance(seconds / steps)
            self.device.measure(self.now, self.q, self.v)

    def step(self, torques, seconds):
        """Move the joints."""

    def pass_time(self):
        self.clock.sleep_until(self.now + self.spec.dt)


class LumpBench(BusBench):
    """
    The same for a robot without a scene: lumps of inertia that have the weight of its links.

    A joint that meets its wall, ``walls`` (2, n) [rad], stops there.
    """

    INERTIA = 0.1  # [kg m2] of every joint
    FRICTION = 0.02  # [N·m·s/rad]

    def __init__(self, spec, **options):
        self.dynamics = RobotDynamics.from_spec(spec)
        stops = [(joint.lower, joint.upper) for joint in spec.joints]
        self.walls = np.array(stops).T
        super().__init__(spec, **options)

    def step(self, torques, seconds):
        if not self.device.holding:  # somebody carries it
            self.v = np.zeros(len(self.q))
            return
        torques = torques - self.dynamics.gravity(self.q) - self.FRICTION * self.v
        v = self.v + seconds * torques / self.INERTIA
        q = self.q + seconds * v
        met = (q < self.walls[0]) | (q > self.walls[1])
        self.q, self.v = np.clip(q, *self.walls), np.where(met, 0.0, v)

    def close(self):
        """Be like a bench in physics, which gives its memory back."""


class WorldBench(BusBench):
    """The same in physics: gravity pulls, and the table is in the way."""

    def __init__(self, spec, scene=None, layout_seed=0, **options):
        self.world = World(spec, scene)
        layout = sample_layout(self.world.scene, np.random.default_rng(layout_seed))
        self.world.reset(layout, np.clip(np.array(spec.home), spec.lower, spec.upper))
        super().__init__(spec, **options)

    def live(self, seconds):
        steps = round(seconds / self.world.timestep)
        for _ in range(max(1, steps)):
            self.device.serve(self.now)
            torques = self.device.torques(self.now)
            if self.device.holding:  # else somebody carries the arm
                self.world.step(torques)
            self.clock.advance(self.world.timestep)
            self.q, self.v = self.world.positions, self.world.velocities
            self.device.measure(self.now, self.q, self.v)

    def close(self):
        self.world.close()


def in_physics(spec, **options):
    """Return a bench under gravity: with a table where the robot has a scene, else in the air."""
    return (WorldBench if spec.scene else LumpBench)(spec, **options)


def at_rest(stamp, pose):
    zero = np.zeros(len(pose))
    return Reference(stamp=stamp, q=np.array(pose), v=zero, a=zero)


def steady_chunk(spec, pose=None, stamp=0.0, steps=20, dt=1 / 30):
    """Return a chunk that stays at a pose."""
    pose = middle(spec) if pose is None else pose
    return ActionChunk(stamp=stamp, dt=dt, joints=spec.names, positions=np.tile(pose, (steps, 1)))

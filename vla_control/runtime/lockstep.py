# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
The whole loop in virtual time: the real driver on an emulated bus, physics, and a policy.

Every stage is the object that also runs on the graph; only the clock and the transport differ.
A policy's chunk arrives a stated delay after its images were captured.
"""

from dataclasses import dataclass

from vla_control.actions.blend import BlendConfig
from vla_control.actions.executor import ChunkExecutor
from vla_control.core.clock import ManualClock
from vla_control.core.errors import SimulationError
from vla_control.core.messages import ActionChunk, Floats, Image, JointState, Observation
from vla_control.core.protocols import Policy
from vla_control.core.spec import RobotSpec
from vla_control.policies.prefix import Commitment
from vla_control.robots.factory import make_driver
from vla_control.runtime.control import RobotController
from vla_control.runtime.tick_log import TickLog
from vla_control.safety.supervisor import Event, Mode
from vla_control.sim.devices import loopback
from vla_control.sim.layout import Layout
from vla_control.sim.world import World

CAMERA_SIDE = 192  # [px] of the simulated cameras, as in config/cameras


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a policy is asked and when its answer arrives."""

    replan: float = 0.25  # [s] between two requests
    delay: float = 0.06  # [s] from capture to the chunk being offered


class LockstepLoop:
    """One robot, its world and a policy, stepped by one thread."""

    def __init__(
        self,
        spec: RobotSpec,
        world: World,
        policy: Policy,
        blend: BlendConfig,
        timing: Timing,
        log: TickLog | None = None,
    ) -> None:
        """
        Wire the loop; reset() must follow.

        :param world: may be shared by successive loops, not by simultaneous ones.
        :raises SimulationError: when physics does not fit a whole number of times in a tick.
        """
        self.spec, self.world, self.policy, self.timing = spec, world, policy, timing
        self.log = log
        self._blend = blend
        self._substeps = round(spec.dt / world.timestep)
        if abs(self._substeps * world.timestep - spec.dt) > 1e-9:
            raise SimulationError(
                f'control period {spec.dt} s is not a multiple of the physics step '
                f'{world.timestep} s; change control_rate or the scene timestep'
            )

    def reset(self, layout: Layout, q_start: Floats, instruction: str) -> None:
        """
        Begin an episode: objects placed, motors enabled, holding, policy asked to begin.

        :param q_start: (n,) [rad, grippers m].
        """
        self.world.reset(layout, q_start)
        self.policy.reset()
        self.instruction = instruction
        self.clock = ManualClock(wait=self._wait)
        bus, self.device = loopback(self.spec)
        self._supported = True
        driver = make_driver(self.spec, 'sim', self.clock, bus=bus)
        self.controller = RobotController(self.spec, driver, self.log)
        self.executor = ChunkExecutor(self.spec, self._blend)
        self.commitment = Commitment(self._blend)
        self._pending: tuple[float, ActionChunk] | None = None
        self._next_request = 0.0
        self._frames = 0
        self.rejected: list[str] = []
        self._start()

    def tick(self) -> None:
        """Do one control period of everything."""
        now = self.clock.now()
        self._think(now)
        if self.controller.mode in (Mode.READY, Mode.RUN):
            reference = self.executor.tick(now)
            # As the interpolator's node: a hold that has come to rest is for the driver to latch.
            if not (self.executor.held and self.executor.at_rest):
                self.controller.put(reference)
        self.controller.tick(now)
        for _ in range(self._substeps):
            self._physics()

    def _start(self) -> None:
        now = self.clock.now()
        self.device.measure(now, self.world.positions, self.world.velocities)
        self.controller.configure(now)
        self.controller.activate(self.clock.now())
        self._supported = False
        now = self.clock.now()
        commanded = self.controller.snapshot.commanded
        if commanded is None:
            raise SimulationError(f'the driver did not align: {self.controller.snapshot.reason}')
        self.executor.align(now, commanded.q)
        self.controller.request(Event.RESUME)
        self._next_request = now

    def _think(self, now: float) -> None:
        """Ask the policy when it is time, and offer its chunk when it would have arrived."""
        if self._pending and now >= self._pending[0] - 1e-9:
            self.deliver(self._pending[1], now)
            self._pending = None
        if self._pending is None and self.wants(now):
            self._next_request = now + self.timing.replan
            prefix = self.commitment.prefix(now)
            chunk = self.policy.infer(self.observe(now), prefix)
            self._pending = (now + self.timing.delay, chunk)

    def wants(self, now: float) -> bool:
        """Tell whether it is time to ask the policy; the bench's peers differ here."""
        return now >= self._next_request - 1e-9

    def deliver(self, chunk: ActionChunk, now: float) -> None:
        """Offer a chunk that has arrived."""
        verdict = self.executor.offer(chunk, now)
        if verdict.accepted:
            self.commitment.answered(chunk, now)
        else:
            self.rejected.append(verdict.reason)

    def observe(self, now: float) -> Observation:
        """Return what the cameras and encoders show at this instant."""
        self._frames += 1
        images = {
            name: Image(
                stamp=now,
                pixels=self.world.render(name, CAMERA_SIDE, CAMERA_SIDE).copy(),
                frame_id=f'{name}_optical_frame',
                sequence=self._frames,
            )
            for name in self.spec.cameras
        }
        state = self.controller.driver.read(now)
        joints = JointState(
            stamp=now,
            joints=self.spec.names,
            positions=state.q,
            velocities=state.v,
            efforts=state.effort,
        )
        return Observation(stamp=now, images=images, joints=joints, instruction=self.instruction)

    def _physics(self) -> None:
        now = self.clock.now()
        self.device.serve(now)
        torques = self.device.torques(now)
        if not self._supported:
            self.world.step(torques)
        now = self.clock.advance(self.world.timestep)
        self.device.measure(now, self.world.positions, self.world.velocities)

    def _wait(self, seconds: float) -> None:
        """
        Let the emulated motors live on while the driver waits for an answer.

        The arm has no brakes: until its motors are enabled it lies on a support, as a real one.
        """
        until = self.clock.now() + seconds
        while self.clock.now() < until - 1e-12:
            self._physics()

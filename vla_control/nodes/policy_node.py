# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""Pictures, joints and words in, action chunks out; the policy runs in a process of its own."""

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
import math
import sys
import threading
from typing import Any

from rclpy.guard_condition import GuardCondition
from sensor_msgs.msg import Image as ImageMsg
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from std_srvs.srv import Trigger
from trajectory_msgs.msg import JointTrajectory

from vla_control.cameras.config import load_camera
from vla_control.core.clock import SteadyClock
from vla_control.core.errors import CameraError, PolicyError, RobotError
from vla_control.core.messages import ActionChunk
from vla_control.core.protocols import PolicyDescription
from vla_control.core.realtime import hurry_process
from vla_control.core.spec import load_robot
from vla_control.nodes import convert, images, qos
from vla_control.nodes.diagnostics import Level, Report
from vla_control.nodes.lifecycle import ManagedNode, run
from vla_control.nodes.observer import Observer
from vla_control.policies.config import load_policy_config
from vla_control.policies.factory import make_worker
from vla_control.policies.prefix import Commitment
from vla_control.policies.worker import PolicyWorker, WorkerState

LOADING = 60.0  # [s] longest wait for the policy
LOOK = 0.02  # [s] between looks at the worker, besides those when it answers
RING = 0.005  # [s] for the executor to take an answer
LISTEN = 0.5  # [s] longest wait for an answer at a time
PICTURE_SOON = 0.05  # [s] after a picture another one is worth waiting for
FOLLOWING = ('READY', 'RUN')  # driver modes in which a chunk is of use


class PolicyNode(ManagedNode):
    """
    One policy.

    Asks it about the newest complete observation, one request at a time. Where a piece of the
    observation is missing, stale or frozen it is not asked, and nothing is published.
    """

    def __init__(self, **options: Any) -> None:
        """Declare the parameters."""
        super().__init__('policy_node', **options)
        self.clock = SteadyClock()
        self.worker: PolicyWorker | None = None
        self.observer: Observer | None = None
        self._entities = ExitStack()
        self._submitted = threading.Event()
        self._listening = False
        self._instruction = ''
        self._running = False
        self._driver = ''
        self._reason = ''
        self._asked_at = -math.inf  # [s]
        self._asked_about = -math.inf  # [s] stamp of the observation
        self._sequence = 0
        self._chunks = 0
        self._errors = 0

    def configure(self) -> None:
        """Load the policy in its own process and connect what it needs."""
        values = self.values
        self.spec = load_robot(values['robot'])
        self._instruction = values['instruction']
        self._running = values['running']
        config = load_policy_config(values['policy'])
        self._interval = 1.0 / (values['rate'] or config.rate)  # [s]
        self._commitment = Commitment(config.blend)
        self.worker = make_worker(
            values['policy'],
            values['robot'],
            restarts=values['restarts'],
            priority=values['realtime_priority'],
        )
        self._entities.callback(self.worker.close)
        self.worker.start()
        description = self.worker.wait_ready(LOADING)
        self._check(description)
        self.observer = Observer(self.spec, tuple(description.cameras))
        self._connect(description)
        self.get_logger().info(
            f'{values["policy"]}: cameras {list(description.cameras)}, {description.horizon} '
            f'steps of {description.dt:g} s'
        )

    def activate(self) -> None:
        """Begin to ask."""
        timer = self.create_timer(LOOK, self._turn)
        bell = self.create_guard_condition(self._turn)
        self._listening = True
        listener = threading.Thread(target=self._listen, args=(bell,), name='listener')
        listener.start()
        self._turns: ExitStack = ExitStack()
        self._turns.callback(self.destroy_timer, timer)
        self._turns.callback(self.destroy_guard_condition, bell)
        self._turns.callback(listener.join)
        hurry_process(self.values['realtime_priority'])

    def deactivate(self) -> None:
        """Stop asking; what is under way is thrown away."""
        self._listening = False
        self._submitted.set()
        self._turns.close()
        if self.worker is not None:
            self.worker.reset()

    def cleanup(self) -> None:
        """End the policy's process."""
        self._entities.close()
        self.worker, self.observer = None, None

    def reports(self) -> list[Report]:
        """Report the worker and why it is not being asked."""
        if self.worker is None:
            return []
        latency = self.worker.latency
        level = Level.OK
        if self._running and self._reason:
            level = Level.WARN
        if self.worker.state is WorkerState.FAILED:
            level = Level.ERROR
        message = 'stopped; call ~/start' if not self._running else self._reason or 'asked'
        return [
            Report(
                name=self.values['policy'],
                level=level,
                message=message,
                values={
                    'worker': self.worker.state.value,
                    'instruction': self._instruction,
                    'chunks': self._chunks,
                    'errors': self._errors,
                    'latency p50 [ms]': latency.p50 * 1e3,
                    'latency p95 [ms]': latency.p95 * 1e3,
                },
            )
        ]

    def _check(self, description: PolicyDescription) -> None:
        foreign = [j for j in description.joints if j not in self.spec.names]
        if foreign:
            raise PolicyError(
                f'policy {self.values["policy"]} commands joints {foreign}, which '
                f'{self.spec.name} does not have; choose a policy made for this robot'
            )
        chosen = self.values['cameras'] or self.spec.camera_configs
        given = {load_camera(name).name for name in chosen}
        missing = sorted(set(description.cameras) - given)
        if missing:
            raise PolicyError(
                f'policy {self.values["policy"]} needs cameras {missing}; the graph has '
                f'{sorted(given)}. Add them to those of cameras:={",".join(chosen)}'
            )

    def _connect(self, description: PolicyDescription) -> None:
        self._chunk_publisher = self.create_publisher(
            JointTrajectory, 'action_chunk', qos.writer('action_chunk')
        )
        self._entities.callback(self.destroy_publisher, self._chunk_publisher)
        topics: list[tuple[Any, str, Callable[[Any], None], str]] = [
            (JointState, 'joint_states', self._on_joints, 'joint_states'),
            (String, 'instruction', self._on_instruction, 'instruction'),
            (String, 'driver_state', self._on_driver, 'driver_state'),
        ]
        for name in description.cameras:
            take = partial(self._on_image, name)
            topics.append((ImageMsg, f'camera/{name}/image_raw', take, 'camera/<name>/image_raw'))
        for kind, topic, callback, profile in topics:
            subscription = self.create_subscription(kind, topic, callback, qos.reader(profile))
            self._entities.callback(self.destroy_subscription, subscription)
        for name, running in (('~/start', True), ('~/stop', False)):
            service = self.create_service(Trigger, name, partial(self._on_switch, running))
            self._entities.callback(self.destroy_service, service)

    def _turn(self, fresh: bool = False) -> None:
        """
        Take what the policy answered, and ask it again when it is time.

        :param fresh: whether a picture has just come. Without one it waits for the next: asked
            on the clock alone, the policy saw pictures half a camera period older.
        """
        worker, observer = self.worker, self.observer
        if worker is None or observer is None:
            return
        answer = worker.poll()
        if isinstance(answer, ActionChunk):
            self._publish(answer)
        elif answer is not None:
            self._errors += 1
            self._reason = str(answer)
            self.complain(self._reason)
            if worker.state is WorkerState.FAILED:
                self.fail(self._reason)
        now = self.clock.now()
        due = now - self._asked_at >= self._interval
        soon = not fresh and now - observer.newest < PICTURE_SOON
        ready = self._running and due and worker.state is WorkerState.READY
        if ready and not soon and self._wanted():
            self._ask(worker, observer, now)

    def _listen(self, bell: GuardCondition) -> None:
        """Ring when the worker answers: looks every 3 ms came 2 ms late."""
        while self._submitted.wait() and self._listening:
            self._submitted.clear()
            worker = self.worker
            while self._listening and worker is not None and worker.state is WorkerState.BUSY:
                worker.wait(LISTEN)
                bell.trigger()
                if self._submitted.wait(RING):
                    break

    def _wanted(self) -> bool:
        if self._driver and self._driver not in FOLLOWING and not self.values['shadow']:
            self._reason = f'the driver is in {self._driver}, not following'
            return False
        return True

    def _ask(self, worker: PolicyWorker, observer: Observer, now: float) -> None:
        try:
            observation = observer.observe(now, self._instruction)
            if observation.stamp <= self._asked_about:
                return
            if worker.submit(observation, self._commitment.prefix(observation.stamp)):
                self._submitted.set()
                self._asked_at, self._asked_about = now, observation.stamp
                self._reason = ''
        except PolicyError as error:
            self._reason = f'not asked: {error}'
            self.complain(self._reason)

    def _publish(self, chunk: ActionChunk) -> None:
        if not (self.active and self._running):
            return
        self._chunk_publisher.publish(convert.chunk_to_msg(chunk, self.stamps.msg))
        self._commitment.answered(chunk, self.clock.now())
        self._chunks += 1

    def _on_image(self, name: str, msg: ImageMsg) -> None:
        if self.observer is None:
            return
        self._sequence += 1
        try:
            stamp = self.stamps.steady(msg.header.stamp)
            image = images.core_image(msg, stamp, self._sequence)
        except CameraError as error:
            self._reason = f'camera {name!r}: {error}'
            self.complain(self._reason)
            return
        self.observer.put_image(name, image, self.clock.now())
        if self.active:
            self._turn(fresh=True)

    def _on_joints(self, msg: JointState) -> None:
        if self.observer is None:
            return
        try:
            state = convert.joint_state_from_msg(msg, self.spec.names, self.stamps.steady)
        except RobotError as error:
            self._reason = str(error)
            self.complain(self._reason)
            return
        self.observer.put_joints(state, self.clock.now())

    def _on_instruction(self, msg: String) -> None:
        if msg.data == self._instruction:
            return
        self._instruction = msg.data
        self._forget()
        self.get_logger().info(f'instruction: {msg.data!r}')

    def _on_driver(self, msg: String) -> None:
        before, self._driver = self._driver, msg.data.split(':')[0]
        if self._driver == 'READY' and before != 'READY':
            self._forget()

    def _forget(self) -> None:
        """Begin anew: an answer under way is to old words or from before a stop."""
        self._asked_at = -math.inf
        if self.worker is not None:
            self._commitment.reset()
            self.worker.reset()

    def _on_switch(
        self, running: bool, _: Trigger.Request, response: Trigger.Response
    ) -> Trigger.Response:
        self._running = running
        self._forget()
        response.success = self.active or not running
        response.message = 'asking the policy' if running else 'the policy is not asked any more'
        if running and not self.active:
            response.message = 'the node is inactive; it will ask once it is active'
        return response


def main(args: list[str] | None = None) -> int:
    """Run the node; the console script policy_node."""
    return run(PolicyNode, args)


if __name__ == '__main__':
    sys.exit(main())

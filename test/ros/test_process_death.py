# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""
Every process of a running graph is killed in turn, as kill -9 does.

The robot ends in its safe action, what is left says what is missing, and whoever comes back
joins without a jump and without moving anything before a resume. The tests share one graph, as
each leaves it running.
"""

from dataclasses import replace
import os
from pathlib import Path
import signal
import subprocess
import sys

from diagnostic_msgs.msg import DiagnosticArray
import numpy as np
import pytest
from rcl_interfaces.msg import Log
from sensor_msgs.msg import JointState
from std_msgs.msg import String
from trajectory_msgs.msg import JointTrajectory
import yaml

from vla_control.core.config import share_path
from vla_control.core.errors import VlaControlError
from vla_control.core.spec import load_robot
from vla_control.nodes import qos
from vla_control.runtime.commands import node_command
from vla_control.runtime.runner import end_processes, GraphProcesses
from vla_control.runtime.tick_log import load_tick_log
from vla_control.runtime.wiring import describe, GraphOptions

pytestmark = [pytest.mark.ros, pytest.mark.slow]
SPEC = load_robot('openarm')
ARMS = ~SPEC.gripper
LSB = 25.0 / 65535.0  # [rad] of the positions a motor reports
NEAR = 0.03  # [rad] what the arm may have gone before a busy machine hears the first command
PATIENCE = 60.0  # [s] only a failing test waits as long
SPACE = 'cell'
POLICY = {
    'name': 'sway', 'title': 'Sway, and need a camera', 'kind': 'wave', 'rate': 5.0,
    'deadline': 0.5, 'blend': {'method': 'splice'},
    'options': {
        'joints': ['openarm_right_joint5'], 'amplitude': 0.3, 'period': 4.0, 'horizon': 8,
        'cameras': ['front'],
    },
}  # fmt: skip


class Cell:
    """A graph of processes, and somebody who watches its topics and processes."""

    def __init__(self, graph, description, processes, folder):
        self.graph, self.description, self.processes = graph, description, processes
        self.folder, self.log = folder, folder / 'ticks.npz'
        self.by_hand = {}
        self.endings = []  # what the runner said of vital nodes
        self.said = {}  # messages since the last kill, by report or node
        self.modes = self._heard(String, 'driver_state')
        self.commands = self._heard(JointTrajectory, 'joint_command')
        self.commanded = self._heard(JointState, 'commanded_joint_states')
        graph.probe.create_subscription(DiagnosticArray, '/diagnostics', self._note, 10)
        graph.probe.create_subscription(Log, '/rosout', self._note_log, 100)

    @property
    def mode(self):
        return self.modes[-1].data if self.modes else ''

    def until(self, condition, what):
        def look():
            try:
                self.processes.look(0.0)
            except VlaControlError as error:
                self.endings.append(str(error))
            return condition()

        self.graph.spin_until(look, what, PATIENCE)

    def says(self, report, words):
        def heard():
            return any(words in message for message in self.said.get(report, ()))

        self.until(heard, f'{report} says {words!r}')

    def call(self, service):
        return self.graph.call(f'{SPACE}/driver_node/{service}')

    def run(self):
        """Resume until the arm follows; refused while one that was killed still counts."""

        def follows():
            if self.mode.startswith('HOLD'):
                self.call('resume')
            return self.mode.startswith('RUN') and len(self.commands) > 100

        self.commands.clear()
        self.until(follows, 'the arm follows')

    def kill(self, name):
        """Kill a process, in motion, and forget what was said before."""
        self.run()
        self.endings.clear()
        self.said.clear()
        pid = self.processes.pid(f'{SPACE}/{name}')
        os.kill(pid, signal.SIGKILL)

    def start_by_hand(self, name, **parameters):
        spec = self.description.node(name)
        spec = replace(spec, parameters={**spec.parameters, **parameters})
        self.by_hand[name] = subprocess.Popen(
            node_command(spec, self.folder),
            env={**os.environ, **spec.environment, 'PYTHONPATH': os.pathsep.join(sys.path)},
            stdin=subprocess.DEVNULL,
        )

    def stands(self):
        """Check that for half a second the robot is told to stay where it is."""
        self.commanded.clear()
        self.until(lambda: len(self.commanded) > 50, 'commanded joint states')
        positions = np.array([m.position for m in self.commanded])
        assert not np.ptp(positions, axis=0).any(), 'nothing moves before a resume'
        return positions[-1]

    def joins_smoothly(self, pose):
        """Check that joint commands after a resume begin where the robot stands."""
        self.until(lambda: len(self.commanders()) == 1, 'one publisher of joint_command')
        self.run()
        first = np.array(self.commands[0].points[0].positions)
        assert np.abs(first - pose)[ARMS].max() < NEAR

    def commanders(self):
        """Return who publishes joint_command, whoever was killed included until he is missed."""
        found = self.graph.probe.get_publishers_info_by_topic(f'{SPACE}/joint_command')
        return {bytes(info.endpoint_gid) for info in found}

    def close(self):
        for name in ('driver_node', 'sim_node'):
            end_processes([self.by_hand[name]] if name in self.by_hand else [])
            if name == 'driver_node':
                self.processes.stop()

    def _heard(self, kind, topic):
        return self.graph.heard(kind, f'{SPACE}/{topic}', qos.reader(topic))

    def _note_log(self, msg):
        self.said.setdefault(msg.name.removeprefix(f'{SPACE}.'), []).append(msg.msg)

    def _note(self, msg):
        for status in msg.status:
            name = status.name.removeprefix(f'{SPACE}/')
            self.said.setdefault(name, []).append(status.message)


@pytest.fixture(scope='module')
def cell(shared_graph, domain, tmp_path_factory):
    folder = tmp_path_factory.mktemp('cell')
    robot, policy = folder / 'openarm.yaml', folder / 'sway.yaml'
    text = share_path('config', 'robots', 'openarm.yaml').read_text()
    assert 'port: 43113' in text and 'chunk_timeout: 1.0' in text
    text = text.replace('port: 43113', 'port: 43188')
    robot.write_text(text.replace('chunk_timeout: 1.0', 'chunk_timeout: 0.3'))
    policy.write_text(yaml.safe_dump(POLICY))
    description = describe(
        GraphOptions(
            robot=str(robot),
            hardware='sim',
            policy=str(policy),
            namespace=SPACE,
            robot_state_publisher=False,
            log_level='warn',
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv('ROS_DOMAIN_ID', str(domain))
        with GraphProcesses(description) as processes:
            processes.start(PATIENCE)
            cell = Cell(shared_graph, description, processes, Path(folder))
            yield cell
            cell.close()


def test_nothing_moves_before_the_first_resume(cell):
    cell.until(lambda: cell.mode.startswith('HOLD'), 'HOLD')
    cell.stands()


def test_without_its_driver_the_motors_let_go_and_another_one_takes_over_where_they_are(cell):
    cell.kill('driver_node')
    cell.says('interpolator_node: quality', 'driver_node is gone')
    cell.says('policy_node', 'joint_states')
    assert cell.endings == ['cell/driver_node ended with status -9; the rest is ended as well']
    before = np.array(cell.commanded[-1].position)
    cell.modes.clear()
    cell.commanded.clear()
    cell.start_by_hand('driver_node', log=str(cell.log))
    cell.until(lambda: cell.commanded, 'another driver')
    first = np.array(cell.commanded[0].position)
    assert np.abs(first - before)[ARMS].max() > 0.05, 'by their own watchdog; the arm sank'
    cell.until(lambda: cell.mode.startswith('HOLD'), 'HOLD')
    cell.joins_smoothly(cell.stands())


def test_without_its_camera_the_policy_is_not_asked_and_the_arm_holds(cell, caplog):
    cell.kill('camera_front')
    cell.says('policy_node', "camera 'front'")
    cell.until(lambda: cell.mode.startswith('HOLD: no joint command'), 'HOLD')
    cell.until(lambda: cell.processes.ready, 'the camera is started again')
    assert 'cell/camera_front ended with status -9; it is started again' in caplog.text
    cell.joins_smoothly(cell.stands())


def test_without_its_policy_the_arm_holds(cell, caplog):
    cell.kill('policy_node')
    cell.until(lambda: cell.mode.startswith('HOLD: no joint command'), 'HOLD')
    cell.until(lambda: cell.processes.ready, 'the policy is started again')
    assert 'cell/policy_node ended with status -9; it is started again' in caplog.text
    cell.joins_smoothly(cell.stands())


def test_without_its_interpolator_the_arm_holds(cell, caplog):
    cell.kill('interpolator_node')
    killed = cell.commanders()
    cell.until(lambda: cell.mode.startswith('HOLD: no joint command'), 'HOLD')
    cell.until(lambda: cell.processes.ready, 'the interpolator is started again')
    assert 'cell/interpolator_node ended with status -9; it is started again' in caplog.text
    cell.until(lambda: cell.commanders() - killed, 'another interpolator')
    cell.joins_smoothly(cell.stands())


def test_without_its_robot_the_driver_faults_until_a_reset(cell):
    cell.run()
    cell.endings.clear()
    os.kill(cell.processes.pid('cell/sim_node'), signal.SIGKILL)
    cell.until(lambda: cell.mode.startswith('FAULT: no answer for'), 'FAULT')
    cell.until(lambda: cell.endings, 'the runner notices')
    assert cell.endings == ['cell/sim_node ended with status -9; the rest is ended as well']
    assert not cell.call('resume').success
    assert not cell.call('reset').success, 'there is nothing to reset'
    cell.start_by_hand('sim_node')
    cell.until(lambda: cell.call('reset').success, 'a reset, once the motors answer again')
    cell.until(lambda: cell.mode.startswith('HOLD'), 'HOLD')
    cell.joins_smoothly(cell.stands())


def test_no_command_ever_jumped(cell):
    end_processes([cell.by_hand['driver_node']])
    record = load_tick_log(cell.log)
    sent, mode, before = record.sent[:, ARMS], record.mode[1:], record.mode[:-1]
    reset = np.flatnonzero((mode == 'HOLD') & (before == 'FAULT')) + 1
    assert len(reset) == 1
    for row in (0, *reset):
        # The tick of a reset begins before it, so the pose taken over is measured in the next.
        assert np.abs(sent[row] - record.measured[row + 1, ARMS]).max() <= LSB
        assert not np.ptp(sent[row : row + 100], axis=0).any(), 'nothing moves before a resume'
    started = np.flatnonzero((mode == 'RUN') & (before != 'RUN')) + 1
    assert len(started) >= 5
    assert np.abs(sent[started] - sent[started - 1]).max() <= LSB

# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""Puts an observation together from what has arrived, or says what is missing."""

from collections import deque

import numpy as np

from vla_control.core.errors import PolicyError
from vla_control.core.messages import Floats, Image, JointState, Observation
from vla_control.core.spec import RobotSpec
from vla_control.policies.freshness import FreshnessGuard

KEPT = 256  # joint states looked back on, 2.5 s at 100 Hz
MOVED = 0.01  # [rad] any arm joint between two pictures, 0.3 rad/s at 30 Hz


class Observer:
    """
    The newest picture of each camera and the joints at that moment.

    Ages are measured where things arrive; all times are of one steady clock.
    """

    def __init__(self, spec: RobotSpec, cameras: tuple[str, ...]) -> None:
        """
        Begin with nothing seen.

        :param cameras: names of those the policy needs.
        """
        self._spec = spec
        self._cameras = cameras
        self._guard = FreshnessGuard(cameras, spec.safety.image_timeout)
        self._images: dict[str, Image] = {}
        self._poses: dict[str, Floats] = {}  # arm joints at each camera's newest picture
        self._joints: deque[JointState] = deque(maxlen=KEPT)
        self._heard = -np.inf  # [s] newest joint state

    def put_image(self, name: str, image: Image, arrival: float) -> None:
        """Take in a picture; one with an old stamp is no news, so it cannot stay fresh."""
        before = self._images.get(name)
        if before is not None and image.stamp <= before.stamp:
            return
        self._images[name] = image
        self._guard.put(name, image, arrival, moving=self._moved(name))

    def put_joints(self, state: JointState, arrival: float) -> None:
        """Take in measured joints."""
        self._joints.append(state)
        self._heard = arrival

    @property
    def newest(self) -> float:
        """Capture time [s] of the newest picture, -inf before the first."""
        return max((i.stamp for i in self._images.values()), default=-np.inf)

    def observe(self, now: float, instruction: str) -> Observation:
        """
        Return what a policy may be asked about.

        :raises PolicyError: saying which piece is missing, stale or frozen.
        """
        reason = self._guard.reason(now) or self._stamp_problem(now) or self._joint_problem(now)
        if reason:
            raise PolicyError(reason)
        images = {name: self._images[name] for name in self._cameras}
        stamp = max((i.stamp for i in images.values()), default=self._joints[-1].stamp)
        joints = min(self._joints, key=lambda s: abs(s.stamp - stamp))
        apart = abs(joints.stamp - stamp)
        if apart > self._spec.safety.image_timeout:
            raise PolicyError(f'the joints nearest to the newest picture are {apart:.2f} s apart')
        return Observation(stamp=stamp, images=images, joints=joints, instruction=instruction)

    def _stamp_problem(self, now: float) -> str:
        safety = self._spec.safety
        for name in self._cameras:
            age = now - self._images[name].stamp
            if age > safety.image_timeout:
                return f'the newest picture of camera {name!r} was taken {age:.2f} s ago'
            if age < -safety.future_stamp:
                return f'camera {name!r} stamps its pictures {-age:.2f} s in the future'
        return ''

    def _joint_problem(self, now: float) -> str:
        age = now - self._heard
        if np.isinf(age):
            return 'no joint_states yet'
        if age > self._spec.safety.image_timeout:
            return f'the newest joint_states are {age:.2f} s old'
        return ''

    def _moved(self, name: str) -> bool:
        if not self._joints:
            return False
        pose = self._joints[-1].positions[~self._spec.gripper]
        before, self._poses[name] = self._poses.get(name), pose
        return before is not None and bool(np.abs(pose - before).max() > MOVED)

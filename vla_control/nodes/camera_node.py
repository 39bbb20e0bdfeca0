# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""One camera on the graph."""

from contextlib import ExitStack
import sys
import threading
import time
from typing import Any

from sensor_msgs.msg import CameraInfo, CompressedImage
from sensor_msgs.msg import Image as ImageMsg

from vla_control.cameras.config import load_camera
from vla_control.cameras.factory import make_camera
from vla_control.cameras.intrinsics import Intrinsics, intrinsics_from_fov
from vla_control.core.errors import CameraError
from vla_control.core.messages import Image
from vla_control.core.protocols import Camera
from vla_control.core.realtime import hurry_process
from vla_control.core.sessions import session_name
from vla_control.core.spec import load_robot
from vla_control.nodes import images, qos
from vla_control.nodes.diagnostics import Level, Report
from vla_control.nodes.lifecycle import ManagedNode, run
from vla_control.nodes.stamps import to_msg
from vla_control.sim.scene import load_scene

READ = 0.1  # [s] longest wait for a frame
AGAIN = 0.5  # [s] between attempts to open a device
PATIENCE = 5.0  # [s] without a frame before it is complained about
JOIN = 3.0  # [s] for the thread to end
UNCALIBRATED = 'uncalibrated: give its intrinsics or fovy in config/cameras'


class CameraNode(ManagedNode):
    """
    Publishes frames as they come, from a thread that waits for them.

    A device that is missing or lost is tried again for as long as the node is active.
    """

    def __init__(self, **options: Any) -> None:
        """Declare the parameters; the device is opened when active."""
        super().__init__('camera_node', **options)
        self._entities = ExitStack()
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None
        self._camera: Camera | None = None
        self._problem = ''
        self._frames = 0
        self._newest = 0.0  # [s] monotonic, when the newest frame came
        self._counted = (0, 0.0)  # frames and [s] at the last report

    def configure(self) -> None:
        """Read the configuration and make the publishers."""
        self.config = load_camera(self.values['camera'])
        hardware = self.values['hardware']
        self.source = self.config.source(hardware)
        self._camera = make_camera(
            self.config, hardware, session=session_name(self.get_namespace()), now=self._ros_now
        )
        base = f'camera/{self.config.name}'
        self._images = self.create_publisher(
            ImageMsg, f'{base}/image_raw', qos.writer('camera/<name>/image_raw')
        )
        compressed = f'{base}/image_raw/compressed'
        self._compressed = self.create_publisher(
            CompressedImage, compressed, qos.writer('camera/<name>/image_raw/compressed')
        )
        self._infos = self.create_publisher(
            CameraInfo, f'{base}/camera_info', qos.writer('camera/<name>/camera_info')
        )
        for publisher in (self._images, self._compressed, self._infos):
            self._entities.callback(self.destroy_publisher, publisher)
        calibration = self._calibration()
        self._calibrated = calibration is not None
        self._info = images.camera_info(calibration, *self.source.picture)

    def activate(self) -> None:
        """Start to read."""
        self._ending.clear()
        self._newest = time.monotonic()
        self._thread = threading.Thread(target=self._read, name='camera')
        self._thread.start()
        hurry_process(self.values['realtime_priority'])

    def deactivate(self) -> None:
        """Stop reading and close the device."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(JOIN)
            self._thread = None

    def cleanup(self) -> None:
        """Drop the camera."""
        self._entities.close()
        self._camera = None

    def reports(self) -> list[Report]:
        """Report whether frames come, and how fast."""
        if not self.active:
            return []
        now = time.monotonic()
        frames, since = self._counted
        rate = (self._frames - frames) / (now - since) if since else 0.0
        self._counted = (self._frames, now)
        level, message = Level.OK, 'frames are coming'
        if rate < 0.7 * self.source.rate:
            level, message = Level.WARN, f'slower than the {self.source.rate:g} Hz configured'
        if self._problem or not rate:
            level, message = Level.ERROR, self._problem or 'no frames'
        values = {
            'frames': self._frames,
            'rate [Hz]': rate,
            'age [ms]': (now - self._newest) * 1e3,
            'calibration': 'known' if self._calibrated else UNCALIBRATED,
        }
        return [Report(name=self.config.name, level=level, message=message, values=values)]

    def _calibration(self) -> Intrinsics | None:
        """Return that of the configuration, or of the scene that is rendered."""
        source = self.source
        if source.source != 'simulated' or source.calibration is not None:
            return source.calibration
        scene = load_scene(load_robot(self.values['robot']))
        view = scene.cameras.get(self.config.name)
        if view is None:
            return None
        return intrinsics_from_fov(view.fovy, source.width, source.height)

    def _ros_now(self) -> float:
        return float(self.get_clock().now().nanoseconds) * 1e-9

    def _read(self) -> None:
        camera = self._camera
        if camera is None:
            return
        try:
            while not self._ending.is_set():
                try:
                    camera.open()
                    self._problem = ''
                    self._forward(camera)
                except CameraError as error:
                    self._problem = str(error)
                    if time.monotonic() - self._newest > PATIENCE:
                        self.complain(self._problem)
                    self._ending.wait(AGAIN)
        finally:
            camera.close()

    def _forward(self, camera: Camera) -> None:
        while not self._ending.is_set():
            frame = camera.read(READ)
            if frame is not None:
                self._publish(frame)

    def _publish(self, frame: Image) -> None:
        msg = images.image_to_msg(frame.pixels, frame.stamp, frame.frame_id, 'rgb8')
        self._images.publish(msg)
        self._info.header.stamp = to_msg(frame.stamp)
        self._info.header.frame_id = frame.frame_id
        self._infos.publish(self._info)
        if self._compressed.get_subscription_count():  # encoding costs milliseconds
            self._compressed.publish(
                images.compressed_to_msg(frame.pixels, frame.stamp, frame.frame_id)
            )
        self._frames += 1
        self._newest = time.monotonic()


def main(args: list[str] | None = None) -> int:
    """Run the node; the console script camera_node."""
    return run(CameraNode, args)


if __name__ == '__main__':
    sys.exit(main())

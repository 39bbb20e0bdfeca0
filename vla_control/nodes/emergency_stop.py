# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
# mypy: disable-error-code="no-untyped-call"
"""The service nothing may delay."""

from collections.abc import Callable
import threading

from rclpy.executors import SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger


class EmergencyStop:
    """
    The ~/e_stop service, served by an executor and a thread of its own.

    Nothing the driver's own executor is busy with can delay it; the next tick obeys.
    """

    def __init__(self, driver: Node, act: Callable[[], tuple[bool, str]]) -> None:
        """
        Begin to serve.

        :param driver: whose service it is.
        :param act: stops the robot and returns success and what happened.
        """
        self._driver, self._act = driver, act
        self._node = Node(
            f'{driver.get_name()}_e_stop',
            namespace=driver.get_namespace(),
            use_global_arguments=False,
            start_parameter_services=False,
            enable_rosout=False,
        )
        self._node.create_service(Trigger, f'{driver.get_name()}/e_stop', self._stop)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._executor.spin, name='e_stop', daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._executor.shutdown()
        self._thread.join(1.0)
        self._node.destroy_node()

    def _stop(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        response.success, response.message = self._act()
        self._driver.get_logger().warning(f'emergency stop: {response.message}')
        return response

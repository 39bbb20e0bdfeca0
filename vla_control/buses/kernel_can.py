# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""CAN through python-can: SocketCAN on hardware, and its in-process ``virtual`` bus."""

from collections.abc import Callable
import errno
from pathlib import Path

import can

from vla_control.buses.frames import BusState, Frame
from vla_control.core.errors import BusError

SYSFS = Path('/sys/class/net')
_FD_MTU = 72  # bytes; a classic interface has 16
_ERROR_BUS_OFF = 0x40  # error classes of linux/can/error.h
_ERROR_RESTARTED = 0x100
_NO_ROOM = (errno.ENOBUFS, errno.EAGAIN)


def _connect(channel: str, fd: bool) -> can.BusABC:
    # A user's ~/.canrc or CAN_CONFIG must not add filters to a robot's bus.
    return can.Bus(interface='socketcan', channel=channel, fd=fd, ignore_config=True)


class SocketCan:
    """A CAN interface of the kernel; see CanBus for the rules every transport keeps."""

    def __init__(
        self,
        channel: str,
        fd: bool,
        bitrate: int,
        data_bitrate: int,
        sysfs: Path = SYSFS,
        connect: Callable[[str, bool], can.BusABC] = _connect,
    ) -> None:
        """
        Check the interface and open it.

        :param channel: such as ``can0``.
        :param fd: send CAN-FD frames with bit-rate switch.
        :param bitrate: [bit/s] for the advice only; the kernel holds the real one.
        :param data_bitrate: [bit/s] likewise.
        :param sysfs: where the kernel shows its network interfaces.
        :param connect: opens the socket of a channel, CAN-FD or not.
        :raises BusError: with the commands that bring the interface up.
        """
        self._channel = channel
        self._folder = sysfs / channel
        self._fd = fd
        self.advice = _bring_up(channel, fd, bitrate, data_bitrate)
        self._bus_off = False
        self.errors = 0
        self.enobufs = 0  # frames the full transmit queue did not take
        self.error_frames = 0
        self._check_interface()
        try:
            self._bus = connect(channel, fd)
        except (OSError, can.CanError) as error:
            raise BusError(f'cannot open {channel}: {_reason(error)}. {self.advice}') from error

    @property
    def state(self) -> BusState:
        """
        Combine error frames with the operational state the kernel shows.

        A bus-off controller keeps its interface up and still takes frames, so writing tells
        nothing.
        """
        try:
            state = (self._folder / 'operstate').read_text().strip()
        except OSError:
            return BusState.MISSING
        if self._bus_off:
            return BusState.BUS_OFF
        # A virtual interface has no carrier to speak of and says "unknown".
        return BusState.UP if state in ('up', 'unknown') else BusState.DOWN

    def send(self, arbitration_id: int, data: bytes) -> None:
        """
        Send one frame; a full transmit queue is counted, the next tick brings a newer command.

        :raises BusError: when the interface is gone or down.
        """
        try:
            self._bus.send(_message(arbitration_id, data, self._fd))
        except (OSError, can.CanError) as error:
            code = _code(error)
            if code in _NO_ROOM or 'buffer full' in str(error):
                self.enobufs += 1
                return
            raise BusError(f'{self._channel}: {_reason(error)}. {self.advice}') from error

    def receive(self, timeout: float) -> list[Frame]:
        """
        Return what has arrived, oldest first; error frames are counted and left out.

        :raises BusError: when the interface is gone or down.
        """
        try:
            message = self._bus.recv(timeout)
            frames = []
            while message is not None:
                if message.is_error_frame:
                    self._note_error(message.arbitration_id)
                elif not message.is_extended_id and not message.is_remote_frame:
                    frames.append(_frame(message))
                message = self._bus.recv(0.0)
        except (OSError, can.CanError) as error:
            raise BusError(f'{self._channel}: {_reason(error)}. {self.advice}') from error
        return frames

    def close(self) -> None:
        """Close the socket."""
        self._bus.shutdown()

    def _note_error(self, error_class: int) -> None:
        self.error_frames += 1
        if error_class & _ERROR_BUS_OFF:
            self._bus_off = True
        elif error_class & _ERROR_RESTARTED:
            self._bus_off = False

    def _check_interface(self) -> None:
        if not self._folder.is_dir():
            raise BusError(
                f'there is no interface {self._channel}; is the adapter plugged in, and is it '
                f'not named differently (`ip link show type can`)? Then: {self.advice}'
            )
        if self.state is not BusState.UP:
            raise BusError(f'{self._channel} is down. {self.advice}')
        mtu = int((self._folder / 'mtu').read_text())
        if self._fd and mtu < _FD_MTU:
            raise BusError(
                f'{self._channel} is set up for classic CAN (mtu {mtu}) but bus.fd is true. '
                f'{self.advice}, or set bus.fd: false'
            )


class VirtualCan:
    """python-can's bus within one process, for tests that need its exact semantics."""

    def __init__(self, channel: str, fd: bool) -> None:
        """Open one end of the channel."""
        protocol = can.CanProtocol.CAN_FD if fd else can.CanProtocol.CAN_20
        self._bus = can.Bus(
            interface='virtual', channel=channel, protocol=protocol, ignore_config=True
        )
        self._fd = fd
        self.errors = 0

    @property
    def state(self) -> BusState:
        """Always up."""
        return BusState.UP

    def send(self, arbitration_id: int, data: bytes) -> None:
        """Hand one frame to every other end."""
        self._bus.send(_message(arbitration_id, data, self._fd))

    def receive(self, timeout: float) -> list[Frame]:
        """Return what has arrived, oldest first."""
        frames = []
        message = self._bus.recv(timeout)
        while message is not None:
            frames.append(_frame(message))
            message = self._bus.recv(0.0)
        return frames

    def close(self) -> None:
        """Leave the channel."""
        self._bus.shutdown()


def _message(arbitration_id: int, data: bytes, fd: bool) -> can.Message:
    return can.Message(
        arbitration_id=arbitration_id,
        data=data,
        is_extended_id=False,
        is_fd=fd,
        bitrate_switch=fd,
    )


def _frame(message: can.Message) -> Frame:
    return Frame(message.arbitration_id, bytes(message.data), message.timestamp)


def _code(error: Exception) -> int | None:
    code = getattr(error, 'error_code', None)
    return code if code is not None else getattr(error, 'errno', None)


def _reason(error: Exception) -> str:
    if _code(error) == errno.EAFNOSUPPORT:
        return 'this kernel has no CAN support (`modprobe can_raw`, or another kernel)'
    return str(error)


def _bring_up(channel: str, fd: bool, bitrate: int, data_bitrate: int) -> str:
    # Without restart-ms a bus-off is for ever; the default queue of 10 overflows with 8 motors.
    rates = f'bitrate {bitrate} sample-point 0.75 restart-ms 100'
    if fd:
        rates += f' dbitrate {data_bitrate} fd on dsample-point 0.75 dsjw 2'
    return (
        f'Bring it up with `sudo ip link set {channel} down; '
        f'sudo ip link set {channel} type can {rates}; '
        f'sudo ip link set {channel} txqueuelen 128; sudo ip link set {channel} up`'
    )

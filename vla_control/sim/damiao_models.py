# Copyright 2026 vla_control contributors
# SPDX-License-Identifier: Apache-2.0
"""What emulated Damiao motors are made of: the manuals, and stated guesses where they stop."""

from dataclasses import dataclass

AMBIENT = 25.0  # [deg C]
SUPPLY = 24.0  # [V]
DRIVE_TRIP = 120.0  # [deg C] fixed in the drive


@dataclass(frozen=True, slots=True, kw_only=True)
class MotorModel:
    """One motor type; torques and speeds at the output shaft."""

    rated_torque: float  # [N·m] for ever
    peak_torque: float  # [N·m]
    torque_constant: float  # [N·m/A]
    drive_current: float  # [A] largest, the unit of the POS_FORCE current field
    gear: float  # [1]
    pole_pairs: int
    no_load_speed: float  # [rad/s] at 24 V
    software: int  # register 14
    # The manuals give no thermal data and no units for the loop gains. These are of the right
    # order and make every effect visible: rated torque for ever ends at 85 deg C in the winding.
    winding_rise: float = 60.0  # [K] at rated torque
    winding_time: float = 300.0  # [s]
    drive_rise: float = 15.0  # [K] at rated torque
    drive_time: float = 60.0  # [s]
    speed_gain: float  # [N·m·s/rad] KP_ASR as emulated
    speed_integral: float  # [N·m/rad] KI_ASR as emulated
    position_gain: float = 20.0  # [1/s] KP_APR as emulated

    @property
    def full_torque(self) -> float:
        """Torque [N·m] at the drive's largest current: 51.8, 41.8 and 9.7 for the three types."""
        return self.torque_constant * self.drive_current


# Manuals V1.0 of DM-J8009P-2EC, DM-J4340-2EC and DM-J4310-2EC; firmware as OpenArm ships it.
MODELS: dict[str, MotorModel] = {
    'DM8009': MotorModel(
        rated_torque=20.0,
        peak_torque=40.0,
        torque_constant=1.2616,
        drive_current=41.04,
        gear=9.0,
        pole_pairs=21,
        no_load_speed=16.75,
        software=6417,
        speed_gain=2.0,
        speed_integral=10.0,
    ),
    'DM4340': MotorModel(
        rated_torque=9.0,
        peak_torque=27.0,
        torque_constant=4.074,
        drive_current=10.26,
        gear=40.0,
        pole_pairs=14,
        no_load_speed=5.45,
        software=5117,
        speed_gain=1.0,
        speed_integral=5.0,
    ),
    'DM4310': MotorModel(
        rated_torque=3.0,
        peak_torque=7.0,
        torque_constant=0.945,
        drive_current=10.26,
        gear=10.0,
        pole_pairs=14,
        no_load_speed=20.94,
        software=5017,
        speed_gain=0.2,
        speed_integral=0.5,
    ),
}


class Thermometers:
    """Two first-order heat stores driven by the square of torque, as I2t protection sees them."""

    __slots__ = ('_model', 'drive', 'winding')

    def __init__(self, model: MotorModel) -> None:
        """Begin at ambient temperature."""
        self._model = model
        self.drive = AMBIENT  # [deg C]
        self.winding = AMBIENT  # [deg C]

    def heat(self, torque: float, dt: float) -> None:
        """Let a torque [N·m] act for a time [s]."""
        model = self._model
        load = (torque / model.rated_torque) ** 2
        drive_end = AMBIENT + model.drive_rise * load
        winding_end = AMBIENT + model.winding_rise * load
        self.drive += (drive_end - self.drive) * min(dt / model.drive_time, 1.0)
        self.winding += (winding_end - self.winding) * min(dt / model.winding_time, 1.0)

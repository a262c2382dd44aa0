"""Everything the emulator raises on purpose.

EmulatorError
├── ProjectError        there is no usable Django project where the emulator was started
├── UnknownFrontDoor    no front door has the name that was given (front_doors)
├── InvalidStage        no API can have a stage of that name (front_doors.stages)
├── PortInUse           another program already listens where a front door or the CDN should
└── BucketError         the bucket's service did not start, or the static files did not reach it
"""


class EmulatorError(Exception):
    """Root of the emulator's errors; its text is written for the person at the terminal."""


class ProjectError(EmulatorError):
    """The folder holds no Django project that can be started; says what was found and what to do."""


class PortInUse(EmulatorError):
    """A port that was asked for is taken; names it and how to choose another."""


class BucketError(EmulatorError):
    """The bucket's service did not start, or static files could not be put there."""

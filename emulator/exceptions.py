"""Everything the emulator raises on purpose.

EmulatorError
├── ProjectError        there is no usable Django project where the emulator was started
├── PackageError        a built package is not whole, or can't run on this machine
├── UnknownFrontDoor    no front door has the name that was given (front_doors)
├── InvalidStage        no API can have a stage of that name (front_doors.stages)
├── InvalidRoute        no API could have this route, or the door has no routes (front_doors.routes)
├── InvalidAccess       a front door can't have a rule of access, or not in this form (access)
├── TemplateError       the template can't be read, or makes no sense; names line and key (template)
├── InvalidSchedule     an expression that no schedule could have; says which part (triggers.cron)
├── QueueError          the queues' service did not do what it was asked to (triggers.sqs)
├── PortInUse           another program already listens where a front door or the CDN should
└── BucketError         the bucket's service did not start, or the static files did not reach it
"""


class EmulatorError(Exception):
    """Root of the emulator's errors; its text is written for the person at the terminal."""


class ProjectError(EmulatorError):
    """The folder holds no Django project that can be started; says what was found and what to do."""


class PackageError(EmulatorError):
    """A built package is not whole, or can't run on this machine."""


class PortInUse(EmulatorError):
    """A port that was asked for is taken; names it and how to choose another."""


class BucketError(EmulatorError):
    """The bucket's service did not start, or static files could not be put there."""

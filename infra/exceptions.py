"""Everything the commands raise on purpose.

InfraError
├── ConfigurationError  faas.toml, an option or the project names something that can't be used
├── BuildError          the package could not be built; says which requirement or file, and what to do
├── TemplateError       the template can't be used for what is asked
├── AwsError            AWS could not be reached, or refused; says what was asked, and which permission is needed
│   └── StackNotFound   nothing has been deployed for this stage
├── DeployError         a step of a deploy failed; says which, what serves now, and the remedy
│   └── StackFailed     CloudFormation gave up a change of the stack; the first cause
└── InvocationFailed    the function could not be called, or what it ran failed
"""


class InfraError(Exception):
    """Root of the package's errors; its text is written for the person at the terminal."""


class ConfigurationError(InfraError):
    """``faas.toml``, an option or the project names something that can't be used."""


class BuildError(InfraError):
    """The package could not be built."""


class TemplateError(InfraError):
    """The template can't be used for what is asked."""


class AwsError(InfraError):
    """AWS could not be reached, or refused what was asked."""


class StackNotFound(AwsError):
    """There is no stack of that name in this account and region."""


class DeployError(InfraError):
    """A step of a deploy failed; what served before serves still."""


class StackFailed(DeployError):
    """CloudFormation gave up a change of the stack; ``type`` is that of the resource that failed first, if known."""

    def __init__(self, message: str, type: str = "") -> None:  # noqa: A002 - CloudFormation's word
        super().__init__(message)
        self.type = type


class InvocationFailed(InfraError):
    """The function could not be called, or what it ran failed."""

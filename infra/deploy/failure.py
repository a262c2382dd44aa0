"""What is said of a step that failed: which, why, what serves now, and what to do about it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..exceptions import DeployError, InfraError
from ..solutions import remedy
from ..steps import Step, Steps


class Course:
    """The steps of a command.

    ``serves`` is what to say of the site if one of them fails now; ``back``, where there is a way back, takes it and
    says what serves then.
    """

    def __init__(self, steps: Steps, serves: str) -> None:
        self.steps = steps
        self.serves = serves
        self.back: Callable[[], str] | None = None

    @contextmanager
    def step(self, title: str) -> Iterator[Step]:
        """A step; an error of it becomes a `DeployError` that tells all of it."""
        with self.explaining(title), self.steps.step(title) as step:
            yield step

    @contextmanager
    def explaining(self, title: str) -> Iterator[None]:
        """The same for what writes its own lines."""
        try:
            yield
        except InfraError as error:
            serves = self.back() if self.back else self.serves
            known = remedy(str(error))
            advice = f"\n\nWhat to do: {known}" if known else ""
            raise DeployError(f"{title.capitalize()} failed: {error}\n\n{serves}{advice}") from error

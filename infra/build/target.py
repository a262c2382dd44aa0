"""What a package is built for: a version of Python, a processor, and the C library of that runtime's system."""

from __future__ import annotations

from dataclasses import dataclass

from ..configuration import Architecture, Configuration

# Up to Python 3.11 the runtimes' system is Amazon Linux 2, whose glibc is 2.26; from 3.12 on it is Amazon Linux 2023
# with 2.34. The tag says what wheels may ask for at most: manylinux2014, which many tools take for all of them, means
# 2.17, with which newer releases of Pillow or psycopg have no wheel any more, and older ones are taken without a word.
# uv has no tag between 2.17 and 2.28.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html
_AMAZON_LINUX_2 = "2_17"
_AMAZON_LINUX_2023 = "2_34"
_TAGS = {"3.11": _AMAZON_LINUX_2}
_MACHINES: dict[Architecture, str] = {"arm64": "aarch64", "x86_64": "x86_64"}
# The ELF header's e_machine: EM_AARCH64 and EM_X86_64. https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
_ELF_MACHINES: dict[Architecture, int] = {"arm64": 183, "x86_64": 62}


@dataclass(frozen=True)
class Target:
    """``python`` is a minor version, ``3.13``."""

    python: str
    architecture: Architecture

    @classmethod
    def of(cls, configuration: Configuration) -> Target:
        """What the configuration asks for."""
        return cls(configuration.python, configuration.architecture)

    @property
    def platform(self) -> str:
        """What uv calls it: ``aarch64-manylinux_2_34``."""
        return f"{_MACHINES[self.architecture]}-manylinux_{_TAGS.get(self.python, _AMAZON_LINUX_2023)}"

    @property
    def elf_machine(self) -> int:
        """What an ELF file for it has as its machine."""
        return _ELF_MACHINES[self.architecture]

    def __str__(self) -> str:
        return f"Python {self.python} on {self.architecture}"

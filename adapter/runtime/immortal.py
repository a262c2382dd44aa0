"""Objects that are not written to for being used, so that forked processes go on sharing the memory they are in.

Whatever Python code touches has its reference count raised and lowered, and the first write to a page of memory makes a
copy of it for the process that writes. Since Python 3.12 an object can be immortal: its count is a fixed one, which is
left alone (https://peps.python.org/pep-0683/). Instagram wanted that for its forked processes of Django:
https://engineering.fb.com/2023/08/15/developer-tools/immortal-objects-for-python-instagram-meta/
Python makes few objects immortal, and has no function for all the others; so the count is set here.
"""

from __future__ import annotations

import ctypes
import gc
import sys
from types import CodeType

_IMMORTAL = 1 << 31  # the least of such counts, in the 32 bits that are looked at


def immortalise() -> None:
    """Make every object that there is immortal; nothing happens where Python has no such thing (before 3.12).

    What is there now is never freed, even if it is replaced: for use once, after boot.
    """
    if sys.implementation.name != "cpython" or sys.abiflags:  # other builds have the count elsewhere
        return
    at = ctypes.c_uint32.from_address
    forever = at(id(None)).value
    if forever < _IMMORTAL:
        return
    gc.unfreeze()
    found = gc.get_objects()
    while found:
        thing = found.pop()
        count = at(id(thing))
        if count.value < _IMMORTAL:
            count.value = forever
            found += gc.get_referents(thing)
            if isinstance(thing, CodeType):  # which the collector knows no contents of
                found += (thing.co_consts, thing.co_names, thing.co_filename, thing.co_linetable)
    gc.freeze()

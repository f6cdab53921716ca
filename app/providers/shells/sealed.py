"""Starts a program in a sandbox: sets limits, then Landlock, then executes the program.

    python -I -S sealed.py [--detached] ROOT PROGRAM ARGUMENT...

Detached, the program is nobody's child who would have to wait for it; its group is that of the first process.
What the program and all that it begins may write lies below ROOT, where the kernel has Landlock (Linux 5.13);
reading and executing are free. This file imports nothing of Windlass: it runs isolated.
"""

import ctypes
import os
import resource
import struct
import sys

LIMITS = {
    resource.RLIMIT_CORE: 0,
    resource.RLIMIT_FSIZE: 1 << 30,
    resource.RLIMIT_NOFILE: 256,
    resource.RLIMIT_CPU: 3_600,
}
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
NO_NEW_PRIVILEGES = 38
# What is refused elsewhere: writing, removing and making files; from ABI 2 on moving, from 3 on truncating.
WRITES = sum(1 << bit for bit in (1, *range(4, 13)))
MOVES, TRUNCATES, WRITE_FILE = 1 << 13, 1 << 14, 2
LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    """Replace this process with the program."""
    given = sys.argv[1:]
    if given[0] == "--detached":
        given = given[1:]
        if os.fork():
            os._exit(0)
    root, argv = given[0], given[1:]
    for kind, most in LIMITS.items():
        resource.setrlimit(kind, (most, most))
    seal(root)
    os.execv(argv[0], argv)


def seal(root: str) -> bool:
    """Refuse to write elsewhere than below the root and to devices; false where there is no Landlock."""
    LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    abi = landlock()
    if abi < 1:
        return False
    refused = WRITES | (MOVES if abi >= 2 else 0) | (TRUNCATES if abi >= 3 else 0)
    given = struct.pack("Q", refused)
    ruleset = _call(CREATE_RULESET, ctypes.create_string_buffer(given, len(given)), len(given), 0)
    for folder, allowed in ((root, refused), ("/dev", WRITE_FILE)):
        place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        _call(ADD_RULE, ruleset, 1, ctypes.create_string_buffer(struct.pack("=Qi", allowed, place)), 0)
    _call(RESTRICT_SELF, ruleset, 0)
    return True


def landlock() -> int:
    """The kernel's version of Landlock; below 1 where it has none."""
    version: int = LIBC.syscall(CREATE_RULESET, None, 0, 1)
    return version


def _call(number: int, *given: object) -> int:
    result: int = LIBC.syscall(number, *given)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


if __name__ == "__main__":
    main()

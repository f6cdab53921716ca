"""The sealed child: evaluates the Nickel program on stdin, and can do nothing else.

    python -I child.py FOLDER... < program

stdout is one letter and a text: ``+`` and the result as JSON, ``-`` and Nickel's error. What the program may
cost is limited by the kernel, so any other end means that it wanted too much. Files are readable below the
folders alone, where the kernel has Landlock; where it has not, no file is, and an error begins with ``!``.
Where the kernel cannot confine it at all, no program is evaluated, and ``?`` and the reason are said.

Order matters: the extension is loaded first, then limits, Landlock, seccomp, and the program last. This file
imports nothing of Windlass: it runs isolated.
"""

import ctypes
import os
import platform
import resource
import struct
import sys

import nickel

MEMORY, SECONDS, LARGEST = 512 << 20, 5, 4 << 20
LIBC = ctypes.CDLL(None, use_errno=True)

ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# Networks, processes, signals to others, mounts, foreign memory, io_uring, namespaces. abort() needs tgkill.
DENIED = {
    "x86_64": (
        *(41, 42, 44, 49, 56, 57, 58, 59, 62, 101, 165, 200, 272, 308, 310, 311, 319, 321, 322, 323),
        *(82, 83, 87, 90, 92, 424, 425, 426, 427, 434, 435, 438),
    ),
    "aarch64": (
        *(198, 200, 203, 206, 220, 221, 281, 117, 129, 130, 34, 35, 38, 276, 40, 53, 54),
        *(97, 268, 270, 271, 279, 280, 282, 424, 425, 426, 427, 434, 435, 438),
    ),
}
OPENS = {"x86_64": (2, 85, 257, 437), "aarch64": (56, 437)}
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
NO_NEW_PRIVILEGES, SET_SECCOMP, FILTER = 38, 22, 2
READ_FILE, READ_DIR = 4, 8


def main() -> None:
    """Evaluate stdin."""
    source = sys.stdin.buffer.read().decode()
    folders = sys.argv[1:]
    _limit()
    try:
        sealed = _seal(folders)
    except OSError as error:
        mark, text = "?", str(error)
    else:
        mark, text = _run(source, folders, sealed)
    said = (mark + text).encode()
    if len(said) > LARGEST:
        os._exit(3)
    sys.stdout.buffer.write(said)
    sys.stdout.buffer.flush()
    os._exit(0)  # Nothing is left to be torn down.


def _seal(folders: list[str]) -> bool:
    """Let go of all that a program must not reach; whether files below the folders are still readable."""
    machine = platform.machine()
    if machine not in ARCHITECTURE:
        raise OSError(f"the calls of {machine} are not known")
    sealed = _landlock(folders)
    _seccomp(machine, DENIED[machine] if sealed else DENIED[machine] + OPENS[machine])
    return sealed


def _run(source: str, folders: list[str], sealed: bool) -> tuple[str, str]:
    try:
        return "+", nickel.run(source, folders)
    except nickel.NickelException as error:
        return "-" if sealed else "!", str(error)


def _limit() -> None:
    for kind, most in (
        (resource.RLIMIT_AS, MEMORY),
        (resource.RLIMIT_CPU, SECONDS),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (most, most))


def _landlock(folders: list[str]) -> bool:
    """Leave readable what is below the folders, and no TCP port; false where the kernel has no Landlock."""
    LIBC.prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    abi = LIBC.syscall(CREATE_RULESET, None, 0, 1)
    if abi < 1:
        return False
    files = {1: (1 << 13) - 1, 2: (1 << 14) - 1}.get(abi, (1 << 15) - 1 if abi < 5 else (1 << 16) - 1)
    size = 8 if abi < 4 else 16 if abi < 6 else 24
    given = struct.pack("QQQ", files, 3 if abi >= 4 else 0, 3 if abi >= 6 else 0)[:size]
    ruleset = _call(CREATE_RULESET, ctypes.create_string_buffer(given, size), size, 0)
    for folder in folders:
        place = os.open(folder, os.O_PATH | os.O_CLOEXEC)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", READ_FILE | READ_DIR, place))
        _call(ADD_RULE, ruleset, 1, rule, 0)
    _call(RESTRICT_SELF, ruleset, 0)
    return True


def _seccomp(machine: str, denied: tuple[int, ...]) -> None:
    """EPERM for these calls; whoever calls as another architecture is killed."""
    code = [
        _filter(0x20, 0, 0, 4),
        _filter(0x15, 1, 0, ARCHITECTURE[machine]),
        _filter(0x06, 0, 0, 0x80000000),
        _filter(0x20, 0, 0, 0),
        _filter(0x35, 0, 1, 0x40000000),  # x32
        _filter(0x06, 0, 0, 0x80000000),
    ]
    for number in denied:
        code += [_filter(0x15, 0, 1, number), _filter(0x06, 0, 0, 0x00050001)]
    code.append(_filter(0x06, 0, 0, 0x7FFF0000))
    buffer = ctypes.create_string_buffer(b"".join(code))
    program = _Program(len(code), ctypes.cast(buffer, ctypes.c_void_p).value)
    if LIBC.prctl(SET_SECCOMP, FILTER, ctypes.byref(program), 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


class _Program(ctypes.Structure):
    """A ``struct sock_fprog`` of Linux."""

    _fields_ = (("len", ctypes.c_ushort), ("filter", ctypes.c_void_p))


def _filter(operation: int, yes: int, no: int, value: int) -> bytes:
    return struct.pack("HBBI", operation, yes, no, value)


def _call(number: int, *given: object) -> int:
    result: int = LIBC.syscall(number, *given)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


if __name__ == "__main__":
    main()

"""The system calls a job has no business with, as a seccomp filter for `bwrap --seccomp`.

Namespaces and the missing capabilities already take the power away; the filter takes the kernel's rarely used doors
away (the ones most kernel exploits of the last years came through), memory that no `/proc` file shows (memfd, System
V), and sockets that no network namespace holds (AF_VSOCK reaches the hypervisor). Classic BPF, linux/filter.h,
seccomp(2).
"""

import platform
import struct

__all__ = ["filter_program"]

_ALLOW = 0x7FFF0000
_KILL = 0x80000000
_ERRNO = 0x00050000
_EPERM, _ENOSYS, _EAFNOSUPPORT = 1, 38, 97

_LOAD, _JUMP_EQUAL, _JUMP_AT_LEAST, _JUMP_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16
"""Offsets in struct seccomp_data (low word of the argument: both machines are little-endian)."""

_CLONE_NEWUSER = 0x10000000
_X32_BIT = 0x40000000
_FAMILIES = (1, 2, 10, 16)
"""AF_UNIX, AF_INET, AF_INET6, AF_NETLINK (getifaddrs)."""

_AUDIT_ARCHITECTURE = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_CALLS: dict[str, tuple[int, int]] = {
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "userfaultfd": (323, 282),
    "shmget": (29, 194),
    "msgget": (68, 186),
    "setns": (308, 268),
    "unshare": (272, 97),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "open_by_handle_at": (304, 265),
    "syslog": (103, 116),
    "quotactl": (179, 60),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "kexec_load": (246, 104),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
}
"""Refused with EPERM; numbers on x86_64 and aarch64."""
_UNKNOWN: dict[str, tuple[int, int]] = {
    "clone3": (435, 435),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
}
"""Refused with ENOSYS, so that programs take their older way (a filter cannot see the flags of clone3)."""
_CLONE, _SOCKET = (56, 220), (41, 198)


def filter_program(machine: str | None = None) -> bytes:
    """Return the filter for this machine as `bwrap --seccomp` reads it; empty where we don't know the numbers."""
    name = machine or platform.machine()
    if name not in _AUDIT_ARCHITECTURE:
        return b""
    column = list(_AUDIT_ARCHITECTURE).index(name)
    program = [
        _step(_LOAD, _ARCHITECTURE),
        _step(_JUMP_EQUAL, _AUDIT_ARCHITECTURE[name], 1, 0),
        _step(_RETURN, _KILL),
        _step(_LOAD, _NUMBER),
    ]
    if name == "x86_64":
        program += [_step(_JUMP_AT_LEAST, _X32_BIT, 0, 1), _step(_RETURN, _ERRNO | _ENOSYS)]
    for errno, calls in ((_EPERM, _CALLS), (_ENOSYS, _UNKNOWN)):
        for numbers in calls.values():
            program += [_step(_JUMP_EQUAL, numbers[column], 0, 1), _step(_RETURN, _ERRNO | errno)]
    program += [
        _step(_JUMP_EQUAL, _CLONE[column], 0, 4),
        _step(_LOAD, _FIRST_ARGUMENT),
        _step(_JUMP_SET, _CLONE_NEWUSER, 0, 1),
        _step(_RETURN, _ERRNO | _EPERM),
        _step(_RETURN, _ALLOW),
        _step(_JUMP_EQUAL, _SOCKET[column], 1, 0),
        _step(_RETURN, _ALLOW),
        _step(_LOAD, _FIRST_ARGUMENT),
    ]
    for family in _FAMILIES:
        program += [_step(_JUMP_EQUAL, family, 0, 1), _step(_RETURN, _ALLOW)]
    program.append(_step(_RETURN, _ERRNO | _EAFNOSUPPORT))
    return b"".join(program)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)

"""The filter as the kernel would read it."""

import struct

import pytest

from vertice.kernel.sandbox.seccomp import filter_program

X86_64, AARCH64 = 0xC000003E, 0xC00000B7
ALLOW, KILL, EPERM, ENOSYS, EAFNOSUPPORT = 0x7FFF0000, 0x80000000, 0x50001, 0x50026, 0x50061


def decide(program: bytes, architecture: int, number: int, argument: int = 0) -> int:
    """Interpret the classic BPF program as seccomp(2) does and return its verdict."""
    steps = list(struct.iter_unpack("=HBBI", program))
    data = {0: number, 4: architecture, 16: argument}
    register, position = 0, 0
    while True:
        code, if_true, if_false, value = steps[position]
        position += 1
        if code == 0x06:
            return value
        if code == 0x20:
            register = data[value]
        else:
            holds = {0x15: register == value, 0x35: register >= value, 0x45: bool(register & value)}[code]
            position += if_true if holds else if_false


@pytest.mark.parametrize(
    ("machine", "architecture", "number", "argument", "verdict"),
    [
        ("x86_64", X86_64, 0, 0, ALLOW),
        ("x86_64", X86_64, 101, 0, EPERM),
        ("x86_64", X86_64, 165, 0, EPERM),
        ("x86_64", X86_64, 435, 0, ENOSYS),
        ("x86_64", X86_64, 319, 0, ENOSYS),
        ("x86_64", X86_64, 56, 0x11, ALLOW),
        ("x86_64", X86_64, 56, 0x10000011, EPERM),
        ("x86_64", X86_64, 41, 1, ALLOW),
        ("x86_64", X86_64, 41, 2, ALLOW),
        ("x86_64", X86_64, 41, 16, ALLOW),
        ("x86_64", X86_64, 41, 17, EAFNOSUPPORT),
        ("x86_64", X86_64, 41, 40, EAFNOSUPPORT),
        ("x86_64", X86_64, 0x40000000 | 59, 0, ENOSYS),
        ("x86_64", 0x40000003, 11, 0, KILL),
        ("aarch64", AARCH64, 63, 0, ALLOW),
        ("aarch64", AARCH64, 117, 0, EPERM),
        ("aarch64", AARCH64, 220, 0x10000000, EPERM),
        ("aarch64", AARCH64, 220, 0x11, ALLOW),
        ("aarch64", AARCH64, 198, 40, EAFNOSUPPORT),
        ("aarch64", X86_64, 63, 0, KILL),
    ],
)
def test_verdicts(machine: str, architecture: int, number: int, argument: int, verdict: int) -> None:
    assert decide(filter_program(machine), architecture, number, argument) == verdict


def test_no_filter_for_a_machine_we_do_not_know() -> None:
    assert filter_program("riscv64") == b""

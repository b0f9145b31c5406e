"""arm64 programs on this machine, in steps of builds too: binfmt_misc with qemu."""

from pathlib import Path

from settings import RIG, RigError
from steps import run, say, step

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_NAME = "qemu-aarch64"
_MOUNTED = RIG / "binfmt-mounted"
_REGISTERED = RIG / "binfmt-registered"
# An ELF header of a 64-bit little-endian AArch64 program, and which of its bits count.
_MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
_MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"


def enable(qemu):
    """Registers qemu with F (opened now, so that it works below any root) and P (argv[0] is kept).

    Without P every applet that busybox starts from itself would be its shell. Debian's qemu takes
    its own name to say that P is on.
    """
    interpreter = RIG / "aarch64-binfmt-P"
    interpreter.symlink_to(qemu)
    try:
        with step("arm64 programs run under qemu"):
            if not (_BINFMT / "register").exists():
                run(["mount", "-t", "binfmt_misc", "binfmt_misc", _BINFMT])
                _MOUNTED.touch()
            if not (_BINFMT / _NAME).exists():
                (_BINFMT / "register").write_text(f":{_NAME}:M::{_MAGIC}:{_MASK}:{interpreter}:OPF")
                _REGISTERED.touch()
    except (OSError, RigError) as error:
        say(f"without arm64 programs: {error}")


def disable():
    """Takes back what enable() did, and nothing that was there before."""
    if _REGISTERED.exists() and (_BINFMT / _NAME).exists():
        (_BINFMT / _NAME).write_text("-1")
    if _MOUNTED.exists() and (_BINFMT / "register").exists():
        # Lazily: somebody may look into it at this moment.
        run(["umount", "-l", _BINFMT])

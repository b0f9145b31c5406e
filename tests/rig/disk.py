"""The disk that the rig's folder lies on: nothing is ever waited for, and nothing is ever left.

Daemons sync their records to the disk thousands of times in a run of tests, which was two fifths of the end-to-end tests'
time on a slow one. None of it has to outlive the machine, so the folder is a file system without journal and barriers, in
a file that has no name any more once it is mounted. What a day of builds has left goes with it in an instant.
"""

import os
import subprocess
from pathlib import Path

from settings import RIG, RigError
from steps import run, say


def mount():
    """Over RIG, an empty folder. Where that cannot be (a container may have no loop devices) it stays as it is."""
    image = Path(f"{RIG}.disk")
    try:
        with open(image, "wb") as file:
            # Never more than there is, and (discard) no more than what is in it. Engines keep a tenth of it as caches.
            host = os.statvfs(RIG)
            file.truncate(host.f_bavail * host.f_frsize)
        run(["mkfs.ext4", "-q", "-F", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard", image])
        run(["mount", "-o", "loop,noatime,nobarrier,discard", image, RIG])
    except (OSError, RigError) as error:
        say(f"the rig is as slow as the disk of {RIG}: {error}")
    finally:
        image.unlink(missing_ok=True)


def unmount():
    """Whatever is mounted on RIG and below."""
    mounts = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for place in sorted((m for m in mounts if f"{m}/".startswith(f"{RIG}/")), key=len, reverse=True):
        subprocess.run(["umount", "-l", place], stderr=subprocess.DEVNULL)

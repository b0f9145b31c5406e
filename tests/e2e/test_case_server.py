"""What runs each end-to-end case under ctest: run_case and case_server.py."""

import os
import signal
import socket
import struct
import subprocess
import sys
import unittest
from pathlib import Path

from harness import EndToEnd

_HERE = Path(__file__).parent
# Indented by two: tests/CMakeLists.txt looks for cases of this file by four.
_CASES = """
import os, subprocess, unittest

class Cases(unittest.TestCase):
  def test_passes(self):
    print(os.getcwd(), os.environ["WORD"], sorted(os.listdir("/proc/self/fd")))

  def test_fails(self):
    self.assertEqual(1, 2)

  def test_is_skipped(self):
    self.skipTest("for a reason")

  def test_dies(self):
    os.kill(os.getpid(), 9)

  def test_hangs(self):
    child = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    with open("pids", "w") as file:
      file.write(f"{os.getpid()} {child.pid}\\n")
    child.wait()
"""


class CaseServer(EndToEnd):
    def setUp(self):
        super().setUp()
        self.program = os.environ.get("DEPOT_RUN_CASE") or self.skipTest("DEPOT_RUN_CASE names no run_case")
        (self.work / "served_cases.py").write_text(_CASES)
        self.socket = self.folder / "cases.sock"
        self.serve("start")

    def tearDown(self):
        self.serve("stop")
        super().tearDown()

    def serve(self, command):
        env = {**os.environ, "PYTHONPATH": str(self.work), "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run([sys.executable, _HERE / "case_server.py", command, self.socket], env=env, check=True, timeout=30)

    def server(self):
        with socket.socket(socket.AF_UNIX) as probe:
            probe.connect(os.fspath(self.socket))
            pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return Path("/proc") / str(pid)

    def start_case(self, name):
        words = [self.program, self.socket, f"served_cases.Cases.test_{name}"]
        return subprocess.Popen(
            words, env={"WORD": "of its own"}, cwd=self.work, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def play(self, name):
        case = self.start_case(name)
        out, err = case.communicate(timeout=30)
        return case.returncode, out, err

    def test_a_case_ends_as_under_python(self):
        code, out, err = self.play("passes")
        self.assertEqual(code, 0, err)
        # The last descriptor is that of the listing.
        self.assertEqual(out, f"{self.work} of its own ['0', '1', '2', '3']\n")
        self.assertIn("Ran 1 test", err)
        code, _, err = self.play("fails")
        self.assertEqual(code, 1, err)
        self.assertIn("AssertionError: 1 != 2", err)
        code, _, err = self.play("is_skipped")
        self.assertEqual(code, 0, err)
        self.assertIn("skipped=1", err)
        self.assertEqual(self.play("dies")[0], 128 + signal.SIGKILL)
        self.assertEqual(self.play("nobody_knows")[0], 1)

    def test_a_case_goes_with_its_client(self):
        case = self.start_case("hangs")
        pids = self.work / "pids"
        self.wait_until(lambda: pids.exists() and pids.read_text().endswith("\n"), 20, "the case does not start")
        running = [Path("/proc") / pid for pid in pids.read_text().split()]
        self.assertTrue(all(process.exists() for process in running))
        case.kill()
        case.communicate()
        self.wait_until(lambda: not any(process.exists() for process in running), 20, "the case goes on")
        self.assertEqual(self.play("passes")[0], 0)

    def test_it_ends_when_nobody_can_reach_it(self):
        server = self.server()
        self.socket.unlink()
        self.wait_until(lambda: not server.exists(), 20, "the server goes on")

    def test_without_a_server_a_case_fails(self):
        self.serve("stop")
        code, _, err = self.play("passes")
        self.assertEqual(code, 1)
        self.assertIn(str(self.socket), err)


if __name__ == "__main__":
    unittest.main()

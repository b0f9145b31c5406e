"""The lists of what docker buildx and the Depot CLI have are true, ours has all of it, and docs/parity.md says so."""

import unittest

import parity
from harness import RigValues

# A list is a text that may be repeated: a command line shows no difference.
_KINDS = {"switch": "switch", "text": "text", "list": "text"}


class ParityLists(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.rig = RigValues.load()

    def check_program(self, column, program):
        """A rival's column of flags.txt against its help; what help does not show is asked for one by one."""
        if not program:
            self.skipTest("this program is not here")
        shown = parity.shown_in_help(program)
        for flag in parity.flags():
            with self.subTest(flag=flag.name):
                if flag.shown[column] == "shown" or flag.name in shown:
                    self.assertEqual(shown.get(flag.name), (flag.letter, _KINDS[flag.kind]))
                else:
                    kind = "unknown" if flag.shown[column] == "-" else _KINDS[flag.kind]
                    self.assertEqual(parity.kind_of(f"--{flag.name}", program), kind)
        self.assertEqual(shown.keys() - {flag.name for flag in parity.flags()}, set())

    def test_flags_of_docker_buildx(self):
        self.check_program("0.29.1", self.rig["BUILDX"])

    def test_flags_of_the_depot_cli(self):
        self.check_program("depot", self.rig.get("DEPOT"))

    def test_ours_has_every_flag(self):
        for flag in parity.flags():
            with self.subTest(flag=flag.name):
                self.assertEqual(parity.kind_of(f"--{flag.name}"), _KINDS[flag.kind])
                if flag.letter != "-":
                    self.assertEqual(parity.kind_of(f"-{flag.letter}"), _KINDS[flag.kind])

    def test_a_flag_that_nobody_has_is_found_missing(self):
        self.assertEqual(parity.kind_of("--no-such-flag"), "unknown")
        self.assertEqual(parity.kind_of("--tag"), "text")
        self.assertEqual(parity.kind_of("-q"), "switch")

    def test_ours_knows_every_variable(self):
        known = parity.settings()
        self.assertEqual([name for name in parity.variables() if name not in known], [])

    def test_what_is_said_of_variables_is_what_the_program_says(self):
        for name, setting in parity.settings().items():
            if setting.fate not in ("Said", "Refused"):
                continue
            with self.subTest(variable=name):
                said = parity.probe(["."], {name: "1"}).stderr
                self.assertIn(name, said)
                self.assertIn(setting.text, said)

    def test_variables_of_which_no_build_is_different(self):
        names = [name for name, setting in parity.settings().items() if setting.fate == "NoMatter"]
        self.assertGreater(len(names), 10)
        said = parity.probe(["."], {name.replace("*", "X"): "1" for name in names}).stderr
        self.assertEqual(said, parity.probe(["."]).stderr)

    def test_what_works_is_read_by_somebody(self):
        for name, setting in parity.settings().items():
            if setting.fate == "Honoured" and name not in parity.INHERITED:
                with self.subTest(variable=name):
                    self.assertNotEqual(parity.readers_of(name), [])
        self.assertEqual(parity.readers_of("NO_SUCH_VARIABLE"), [])

    def test_what_is_said_of_files_has_its_tests(self):
        for file, _, _, tests in parity.files():
            with self.subTest(file=file):
                self.assertTrue(tests)
                self.assertEqual([test for test in tests if not parity.has_test(test)], [])
        self.assertFalse(parity.has_test("cache.test_that_is_not_there"))
        self.assertFalse(parity.has_test("base.Nobody.IsThere"))

    def test_a_letter_of_another_program_is_no_evidence(self):
        words = set(parity.words_of('self.build("-t", x, f(["-c"]), ["-m", "1g"])\nrun(["git", "commit", "-qm", "-a"])\n'))
        self.assertEqual(words, {"-t", "-m", "1g"})

    def test_document(self):
        text = parity.document()
        self.assertTrue(parity.DOCUMENT.read_text() == text, "run tests/e2e/parity.py --fix")
        for words in ("not supported yet", "not known here", "no test"):
            self.assertEqual([line for line in text.splitlines() if words in line], [])


if __name__ == "__main__":
    unittest.main()

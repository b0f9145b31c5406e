"""Some rows of the table of faults, each once: tests/faults runs all of them."""

import unittest

import faults


class Faults(faults.Bench):
    def check(self, point, name):
        outcome = self.trial("depot", point, name)
        self.assertTrue(outcome.right, outcome.said)
        self.assertEqual(outcome.left, [], outcome.said)
        return outcome

    def test_a_reset_and_a_full_disk(self):
        self.check("oci", "reset+full")

    def test_two_resets_while_the_engine_gets_the_image(self):
        self.check("load", "reset+reset")

    def test_a_reset_and_a_registry_that_fails(self):
        self.check("push", "reset+500")

    def test_a_registry_whose_token_expires_in_the_middle(self):
        outcome = self.check("push", "401")
        self.assertIn("pushing again", outcome.said)

    def test_signals_while_an_archive_comes(self):
        for name in ("TERM", "KILL"):
            with self.subTest(name=name):
                self.check("tar", name)

    def test_an_api_that_fails_and_a_machine_that_is_lost(self):
        self.check("api", "reset+503")

    def test_builds_whose_connections_are_cut_by_chance(self):
        right, cuts, builds = self.crowd(8, most=8)
        self.assertEqual(len(right), 8, "\n".join(str(one.result()) for one in builds))
        self.assertGreater(cuts, 0)


if __name__ == "__main__":
    unittest.main()

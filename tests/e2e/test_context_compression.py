"""A context on a link that is slower than packing it, counted at the socket."""

import random
import unittest

import trees
from harness import EndToEnd

_MB = 1_000_000
_RATE = 3 * _MB
# How soon the client sees that packing pays depends on the machine; tests/bench text has the figures.
_SOME = 0.9


def source_text(size, seed):
    """Lines that shrink as source text does: to about a quarter."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz_", k=rng.randint(2, 12))) for _ in range(4000)]
    lines = []
    while size > 0:
        lines.append(" ".join(rng.choices(words, k=8)) + ";\n")
        size -= len(lines[-1])
    return "".join(lines)


class ContextCompressionTest(EndToEnd):
    def setUp(self):
        super().setUp()
        self.text = source_text(12 * _MB, self.id())
        self.noise = random.randbytes(3 * _MB)

    def sent(self, *args, content=None, builder=None):
        """Bytes of a context that the builder has never seen."""
        dockerfile = "FROM scratch\nCOPY content /\n"
        context = self.context({"Dockerfile": dockerfile, "content": content or self.text})
        link = self.link(builder or self.plain_address(), rate=_RATE)
        self.run_plugin("build", "--progress=plain", "--no-cache", *args, context, builder=link.url)
        return link.sent

    def test_text_travels_packed(self):
        self.assertLess(self.sent(), _SOME * len(self.text))

    def test_off_is_off(self):
        self.assertGreater(self.sent("--context-compression=off"), len(self.text))

    def test_what_does_not_shrink_goes_as_it_is(self):
        self.assertGreater(self.sent(content=self.noise), len(self.noise))

    def test_a_result_that_comes_back_is_right(self):
        out = self.folder / "out"
        self.assertGreater(self.sent("-o", out), len(self.text))
        self.assertEqual(trees.content(out, "content").decode(), self.text)

    def test_what_was_pushed_is_right(self):
        image = self.image_name(registry="open")
        self.assertLess(self.sent("--push", "-t", image), _SOME * len(self.text))
        out = self.folder / "out"
        again = self.context({"Dockerfile": f"FROM {image}\n"}, "again")
        self.run_plugin("build", "-o", out, again, builder="plain")
        self.assertEqual(trees.content(out, "content").decode(), self.text)

    def test_a_builder_that_does_not_know_it_gets_it_plain(self):
        """BuildKit 0.8, of Docker 20.10, ends the session that names an encoding."""
        bridge = self.bridge("plain", engine="oldest")
        self.assertGreater(self.sent(builder=bridge.url.removeprefix("tcp://")), len(self.text))

    def test_another_word(self):
        context = self.context({"Dockerfile": "FROM scratch\n"})
        result = self.run_plugin("build", "--context-compression=zstd", context, check=125)
        self.assertIn('unknown word "zstd"', result.stderr)


if __name__ == "__main__":
    unittest.main()

"""Secrets: there while a step runs, and nowhere else."""

import gzip
import hashlib
import json
import random
import string
import unittest

import trees
from harness import EndToEnd

_LIMIT = 500 * 1024


class Secrets(EndToEnd):
    def word(self):
        return "s3cr3t-" + "".join(random.choices(string.ascii_letters, k=24))

    def using(self, *steps):
        """A context with RUN steps that no other test has: the cache does not look at secrets."""
        own = f"{self.image_name()}-{len(self.results)}"
        lines = [f"FROM {self.rig['BASE']}", *(f"RUN {step} && : {own}" for step in steps)]
        return self.context({"Dockerfile": "\n".join([*lines, ""])}, name="context")

    def hashing(self, *names):
        """The same, where each step stores the digest of a secret, not the secret."""
        mount = "--mount=type=secret,required=true,id="
        return self.using(*(f"{mount}{n} sha256sum </run/secrets/{n} >/{n}" for n in names))

    def built(self, context, *args, **options):
        options = options if options.get("engine") else {"builder": "tls", **options}
        return self.build("-o", "type=oci,dest=image.tar", *args, context, **options)

    def assert_reached(self, **secrets):
        """Every secret reached its step: the image has the digest of it."""
        tree = trees.tree_of_layers(self.oci_layout(self.work / "image.tar").layers())
        for name, value in secrets.items():
            value = value.encode() if isinstance(value, str) else value
            line = hashlib.sha256(value).hexdigest() + "  -\n"
            self.assertEqual(tree[name].sha256, hashlib.sha256(line.encode()).hexdigest(), name)

    def assert_absent(self, *secrets, written=()):
        """No secret in layers, config, history, output or files."""
        layout = self.oci_layout(self.work / "image.tar")
        texts = [json.dumps(layout.config()), json.dumps(layout.manifest())]
        for layer in layout.layers():
            data = gzip.decompress(layer) if layer[:2] == b"\x1f\x8b" else layer
            texts.append(data.decode("latin-1"))
        for secret in secrets:
            self.assert_no_leak(secret, *texts, written=written)

    def test_secret_of_a_file(self):
        word, place = self.word(), self.folder / "secret"
        place.write_text(word)
        self.built(
            self.hashing("a", "b"),
            "--secret",
            f"id=a,src={place}",
            "--secret",
            f"type=file,id=b,source={place}",
        )
        self.assert_reached(a=word, b=word)
        self.assert_absent(word, written=[place])

    def test_secret_of_a_variable(self):
        word = self.word()
        flags = ["--secret", "id=a,env=WORD", "--secret", "type=env,id=b,src=WORD"]
        self.built(self.hashing("a", "b"), *flags, env={"WORD": word})
        self.assert_reached(a=word, b=word)
        self.assert_absent(word)

    def test_name_alone_is_a_variable_or_a_file(self):
        words = [self.word(), self.word()]
        (self.work / "two").write_text(words[1])
        flags = ["--secret", "id=one", "--secret", "id=two"]
        self.built(self.hashing("one", "two"), *flags, env={"one": words[0]})
        self.assert_reached(one=words[0], two=words[1])
        self.assert_absent(*words, written=[self.work / "two"])

    def test_variable_that_is_set_but_empty(self):
        self.built(self.hashing("a"), "--secret", "id=a,env=EMPTY", env={"EMPTY": ""})
        self.assert_reached(a="")

    def test_bytes_arrive_as_they_are(self):
        content = bytes(range(256)) + b"\n\0\r\n"
        (self.work / "a").write_bytes(content)
        self.built(self.hashing("a"), "--secret", "id=a,src=a")
        self.assert_reached(a=content)

    def test_largest_secret(self):
        content = random.randbytes(_LIMIT)
        (self.work / "a").write_bytes(content)
        self.built(self.hashing("a"), "--secret", "id=a,src=a")
        self.assert_reached(a=content)

    def test_larger_secret_is_refused_before_anything_is_built(self):
        (self.work / "a").write_bytes(bytes(_LIMIT + 1))
        refused = self.build(
            "--secret",
            "id=a,src=a",
            self.hashing("a"),
            builder=f"tcp://{self.closed_port()}",
            check=None,
        )
        self.assertNotEqual(refused.rc, 0)
        self.assertLess(refused.seconds, 2)
        self.assertIn("500 KiB", refused.stderr)

    def test_mode_and_place_are_the_dockerfiles(self):
        mount = "--mount=type=secret,id=a,target=/etc/word,mode=0440,uid=7"
        context = self.using(f"{mount} stat -c '%a %u' /etc/word >/seen")
        self.built(context, "--secret", "id=a,env=WORD", env={"WORD": self.word()})
        tree = trees.tree_of_layers(self.oci_layout(self.work / "image.tar").layers())
        self.assertEqual(tree["seen"].sha256, hashlib.sha256(b"440 7\n").hexdigest())

    def test_secret_on_every_engine(self):
        for engine in ("containerd", "classic", "oldest"):
            with self.subTest(engine=engine):
                word, image = self.word(), self.image_name()
                context = self.hashing("a")
                self.build(
                    "-t",
                    image,
                    "--secret",
                    "id=a,env=WORD",
                    context,
                    engine=engine,
                    env={"WORD": word},
                )
                code, output = self.engine(engine).run(image, "cat", "/a")
                digest = hashlib.sha256(word.encode()).hexdigest()
                self.assertEqual((code, output.split()[0]), (0, digest))
                self.assertEqual(self.engine(engine).save(image).count(word.encode()), 0)
                self.assert_no_leak(word)

    def test_secret_is_not_in_the_dockerfiles_way_when_unused(self):
        word = self.word()
        self.built(
            self.using("test ! -e /run/secrets/a"), "--secret", "id=a,env=W", env={"W": word}
        )
        self.assert_absent(word)


if __name__ == "__main__":
    unittest.main()

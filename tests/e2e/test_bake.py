"""Many images in one run, beside docker buildx bake on the same builder."""

import json
import os

from harness import EndToEnd

_HCL = """
variable "TAG" { default = "one" }
group "default" { targets = ["web", "worker"] }
target "common" {
  context = "app"
  args = { TAG = TAG }
}
target "web" {
  inherits = ["common"]
  tags = ["IMAGE:web-${TAG}"]
}
target "worker" {
  inherits = ["common"]
  target = "worker"
  tags = ["IMAGE:worker"]
}
"""

_LINKED = """
target "base" { dockerfile-inline = "FROM BASE\\nENV WORD=linked\\nRUN echo made >/made" }
target "default" {
  contexts = { base = "target:base" }
  dockerfile-inline = "FROM base\\nRUN echo $WORD >/word"
  output = ["type=local,dest=out"]
}
"""


class Bake(EndToEnd):
    def folder_of(self, definition, image="", name="docker-bake.hcl", **more):
        dockerfile = f"FROM {self.rig['BASE']} AS worker\nCOPY file /file\nARG TAG\nRUN echo $TAG >/tag\nFROM worker\nRUN echo web >/web\n"
        text = definition.replace("IMAGE", image).replace("FROM BASE", f"FROM {self.rig['BASE']}")
        return self.context({name: text, "app/Dockerfile": dockerfile, "app/file": "content\n", **more})

    def bake(self, *args, cwd, builder="tls", check=0, **options):
        return self.run_plugin("bake", "--progress=plain", *args, cwd=cwd, builder=builder, check=check, **options)

    def test_print_and_list_are_those_of_buildx(self):
        folder = self.folder_of(_HCL, "example/app")
        for args in (["--print"], ["--print", "web"], ["--print", "--set", "*.platform=linux/arm64", "--push"],
                     ["--list", "targets"], ["--list", "type=variables,format=json"]):
            with self.subTest(args):
                ours = self.run_plugin("bake", *args, cwd=folder).stdout
                theirs = self.run_buildx("bake", *args, cwd=folder).stdout
                if "--print" in args or "format=json" in args[-1]:
                    self.assertEqual(json.loads(theirs), json.loads(ours))
                else:
                    self.assertEqual(theirs.split(), ours.split())

    def test_a_group_is_pushed_as_buildx_pushes_it(self):
        digests = []
        for run in (self.run_plugin, self.run_buildx):
            image = self.image_name()
            folder = self.folder_of(_HCL, image)
            run("bake", "--progress=plain", "--push", "--metadata-file", "meta.json", cwd=folder, builder="tls",
                env={"SOURCE_DATE_EPOCH": "1700000000"})
            metadata = json.loads((folder / "meta.json").read_text())
            self.assertEqual({"web", "worker"}, set(metadata) - {"buildx.build.warnings"})
            for target in ("web", "worker"):
                self.assertIn("containerimage.digest", metadata[target])
            repository = self.repository(image)
            digests.append([config_of(repository, tag) for tag in ("web-one", "worker")])
        self.assertEqual(digests[0], digests[1])

    def test_steps_say_their_target(self):
        said = self.bake(cwd=self.folder_of(_HCL, "example/app")).stderr
        self.assertRegex(said, r"\[web .*RUN echo web")
        self.assertRegex(said, r"\[worker ")
        self.assertIn("stays in the builder's cache", said)

    def test_a_linked_target_gives_files_and_environment(self):
        folder = self.folder_of(_LINKED)
        self.bake(cwd=folder)
        self.assertEqual("linked\n", (folder / "out/word").read_text())
        self.assertEqual("made\n", (folder / "out/made").read_text())

    def test_a_failure_names_the_target_and_stops_the_rest(self):
        folder = self.folder_of('group "default" { targets = ["good", "bad"] }\n'
                                'target "good" { dockerfile-inline = "FROM BASE\\nRUN sleep 1000" }\n'
                                'target "bad" { dockerfile-inline = "FROM BASE\\nRUN false" }\n')
        said = self.bake(cwd=folder, check=1).stderr
        self.assertIn("ERROR: target bad: ", said)

    def test_compose_services_are_targets(self):
        image = self.image_name()
        folder = self.folder_of(f"services:\n  web: {{image: '{image}:web', build: app}}\n"
                                f"  worker: {{image: '{image}:worker', build: {{context: app, target: worker}}}}\n",
                                name="compose.yaml")
        self.bake("--push", cwd=folder)
        for tag in ("web", "worker"):
            self.assertTrue(self.repository(image).has(tag))

    def test_loads_into_the_engine(self):
        image = self.image_name()
        self.bake("--load", cwd=self.folder_of(_HCL, image), builder=None, engine="containerd")
        self.assertEqual((0, "web"), tuple(part.strip() if isinstance(part, str) else part for part in self.engine("containerd").run(f"{image}:web-one", "cat", "/web")))

    def test_what_lies_outside_must_be_allowed(self):
        outside = self.context({"file": "secret\n"})
        definition = (f'target "default" {{\n  contexts = {{ far = "{outside}" }}\n'
                      '  dockerfile-inline = "FROM BASE\\nCOPY --from=far file /file"\n}\n')
        folder = self.folder_of(definition)
        said = self.bake(cwd=folder, check=1).stderr
        self.assertIn(f"--allow fs.read={outside}", said)
        self.bake("--allow", f"fs.read={outside}", cwd=folder)

    def test_a_link_that_leads_outside_must_be_allowed(self):
        outside = self.context({"file": "secret\n"})
        folder = self.folder_of('target "default" {\n  contexts = { far = "near" }\n'
                                '  dockerfile-inline = "FROM BASE\\nCOPY --from=far file /file"\n}\n')
        os.symlink(outside, folder / "near")
        self.assertIn("fs.read=", self.bake(cwd=folder, check=1).stderr)

    def test_network_host_must_be_allowed(self):
        folder = self.folder_of('target "default" {\n  network = "host"\n  dockerfile-inline = "FROM BASE"\n}\n')
        self.assertIn("--allow network.host", self.bake(cwd=folder, check=1).stderr)

    def test_hostile_definitions_end_soon(self):
        laugh = "x-0: &a0 [l, l, l, l, l, l, l, l, l, l]\n" + "".join(
            f"x-{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
        matrix = ('target "default" {\n  name = "t-${a}-${b}"\n'
                  "  matrix = { a = range(0, 1000), b = range(0, 1000) }\n}\n")
        for name, text, said in (("compose.yaml", laugh + "services: {a: {build: .}}\n", "too large"),
                                 ("docker-bake.hcl", matrix, "1000000 combinations"),
                                 ("docker-bake.hcl", "a = " + "[" * 100_000, "docker-bake.hcl")):
            with self.subTest(name):
                folder = self.folder_of(text, name=name)
                self.assertIn(said, self.run_plugin("bake", "--print", cwd=folder, check=1).stderr)


def config_of(repository, tag):
    """What the image is, without what names the build."""
    return repository.manifest(tag)["config"]["digest"]

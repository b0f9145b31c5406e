"""docs/migrating.md: each line of its tables is run."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from harness import EndToEnd, Running, write_tree

_GUIDE = Path(__file__).resolve().parents[2] / "docs" / "migrating.md"
# What is run here as it stands: of the others there is only what they become.
_RUNS = re.compile(r"(ID=\$\()?(docker|depot) ")


class Migrating(EndToEnd):
    def setUp(self):
        super().setUp()
        self.bin = self.folder / "bin"
        self.bin.mkdir()
        (self.bin / "docker").symlink_to(self.rig["DOCKER"])
        (self.bin / "depot").symlink_to(self._plugin())
        plugins = self.docker_config / "cli-plugins"
        plugins.mkdir()
        for name in ("docker-depot", "docker-buildx"):
            (plugins / name).symlink_to(self._plugin())

    def lines(self, heading):
        """The lines of a section that can be run, each once."""
        section = _GUIDE.read_text().partition(f"## From {heading}\n")[2].partition("\n## ")[0]
        rows = re.findall(r"^\| `([^`|]*)` \| `([^`|]*)` \|$", section, re.M)
        self.assertGreaterEqual(len(rows), 3)
        self.assertEqual(len(rows), section.count("\n| `"))
        cells = [cell for row in rows for cell in row]
        self.assertTrue(all(_RUNS.search(after) for _, after in rows))
        return [cell for cell in dict.fromkeys(cells) if _RUNS.match(cell) or " docker depot" in cell]

    def run_line(self, number, line):
        folder = self.work / f"line{number}"
        dockerfile = f"FROM {self.rig['BASE']} AS base\nARG VERSION=0\nRUN true\nFROM base AS test\nFROM base AS app\nCMD true\n"
        image = self.image_name(name=f"line{number}", registry="open").removesuffix(":latest")
        release = f'target "app" {{\n  target = "app"\n  tags = ["{image}"]\n}}\n'
        write_tree(folder, {"Dockerfile": dockerfile, "release.hcl": release})
        builder = "both" if "arm64" in line else "tls"
        env = self.environment(engine="classic", builder=builder)
        env |= {"IMAGE": image, "PATH": f"{self.bin}:{os.environ['PATH']}"}
        place = self.folder / f"place{number}"
        place.mkdir()
        running = Running(["bash", "-ec", line], place, env=env, cwd=folder)
        self._started.append(running)
        result = running.wait(150)
        if result.rc != 0:
            return f"{line}\n{result}"
        if "push" in line and not self.repository(f"{image}:latest").has("latest"):
            return f"{line}\nhas pushed nothing"
        return ""

    def check(self, heading):
        self.docker_settings(aliases={"builder": "depot"})
        with ThreadPoolExecutor(3) as pool:
            wrong = list(filter(None, pool.map(self.run_line, *zip(*enumerate(self.lines(heading))))))
        self.assertEqual(wrong, [], "\n\n".join(wrong))

    def test_from_docker_build(self):
        self.check("docker build")

    def test_from_buildx(self):
        self.check("docker buildx")

    def test_from_the_depot_cli(self):
        self.check("the Depot CLI")

    def test_from_kaniko(self):
        self.check("kaniko")

    def test_from_build_push_action(self):
        self.check("build-push-action")

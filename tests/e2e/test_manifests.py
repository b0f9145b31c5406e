"""The files of install/ for Kubernetes, Swarm and Grafana, checked offline: no cluster runs here. docs/fleet.md says what that shows."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from pool import PoolTest

_ROOT = Path(__file__).resolve().parents[2]
_INSTALL = _ROOT / "install"
_CHECK = _ROOT / "tests/rig/kubernetes-models/check.mjs"
sys.path.insert(0, str(_ROOT / "tests/rig"))

import npm_package  # noqa: E402
import packages  # noqa: E402


class Manifests(PoolTest):
    def rendered(self, name, *components):
        """What kustomize makes of a folder, with components of it, as text."""
        place = self.folder / f"{name}-{len(components)}"
        place.mkdir()
        folders = [os.path.relpath(_INSTALL / "kubernetes" / one, place) for one in (name, *components)]
        (place / "kustomization.yaml").write_text(f"resources: {json.dumps(folders[:1])}\ncomponents: {json.dumps(folders[1:])}\n")
        argv = [packages.kustomize(), "build", place]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def check(self, *texts):
        """The checks' exit code and output; in a folder of this test's own, beside the models."""
        place = self.folder / "check"
        if not place.exists():
            place.mkdir()
            (place / "node_modules").symlink_to(npm_package.kubernetes_models() / "node_modules")
        files = []
        for number, text in enumerate(texts):
            files.append(place / f"{number}.yaml")
            files[-1].write_text(text)
        argv = [shutil.which("node"), _CHECK, place, *files]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.stderr, "")
        return done.returncode, done.stdout

    def test_kubernetes_objects_are_what_their_models_say(self):
        texts = {name: self.rendered(name) for name in ("privileged", "rootless", "certificates")}
        texts["replicas"] = self.rendered("privileged", "replicas")
        # Beside them one with two mistakes, of which each check sees one: nothing else may be wrong.
        good = texts["privileged"]
        wrong = good.replace("periodSeconds: 2\n", "periodSecond: 2\n")
        wrong = re.sub(r"(?m)^( +)maxUnavailable: 1$", r"\1maxUnavailable: 1\n\1minAvailable: []", wrong)
        code, said = self.check(*texts.values(), wrong)
        self.assertEqual(code, 1)
        self.assertRegex(said, r"4.yaml: PodDisruptionBudget builders-amd64: .*minAvailable must be")
        self.assertRegex(said, r"periodSecond\W+ does not exist in type 'IProbe'")
        for line in said.splitlines():
            self.assertRegex(line, r"^$|^(\S*/)?4\.yaml(\.ts)?[:(]|^  ")
        self.assertNotIn("privileged: true", texts["rootless"])
        self.assertNotIn("livenessProbe", good)
        # A second pool with the same records is refused: a roll-out that began it first would wait for ever.
        self.assertIn("type: Recreate", good)
        several = texts["replicas"]
        self.assertNotIn("claimName: depot-pool-state", several)
        self.assertNotIn("type: Recreate", several)
        self.assertIn("path: /livez", several)
        for arch in ("amd64", "arm64"):
            # Where each replica looks for who signs for the builders.
            self.assertIn(f"path: state/builders/{arch}/ca-key.pem", several)
            # One name in all: the pool finds pods of a service whose port has a name.
            self.assertIn(f"serviceName: builders-{arch}", good)
            self.assertIn(f"secretName: builders-{arch}", good)
            found = (_INSTALL / "kubernetes/pool.yaml").read_text()
            self.assertIn(f"srv: _buildkit._tcp.builders-{arch}.depot.svc.cluster.local", found)
        self.assertEqual(good.count("- --drain"), 2)
        self.assertEqual(good.count("terminationGracePeriodSeconds: 21600"), 2)
        self.assertEqual(good.count("name: GOMEMLIMIT"), 2)
        self.assertNotIn("sum(", good)

    def test_a_pool_reads_authorities_as_kubernetes_mounts_them(self):
        """Files of root, for the group of the pod; not for everybody."""
        pool = self.make_pool()
        program = self.folder / "depot-pool"
        shutil.copy(os.environ["DEPOT_POOL"], program)
        for path in (self.folder, pool.folder, pool.state):
            path.chmod(0o755)
        key = pool.state / "ca-key.pem"
        os.chown(key, 0, 64372)
        argv = ["setpriv", "--reuid=64372", "--regid=64372", "--clear-groups", program, "ca", "show", "--state", pool.state]
        for mode, code in ((0o440, 0), (0o444, 1)):
            key.chmod(mode)
            done = subprocess.run(argv, cwd="/", capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn("can be read by others", done.stderr)

    def test_the_settings_that_are_shipped_are_settings(self):
        """And what stands in queries and dashboards are metrics of this pool."""
        for engine in ("kubernetes", "swarm"):
            pool = self.make_pool()
            shutil.copy(_INSTALL / engine / "pool.yaml", pool.file)
            pool.command("token", "create", "--project", "app")
            self.assertIn("app", pool.command("token", "list").stdout)
        pool = self.make_pool()
        pool.start()
        families = set(re.findall(r"# TYPE (\w+) ", pool.get("/metrics")[1]))
        dashboard = json.loads((_INSTALL / "pool/grafana.json").read_text())
        asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
        asked.append((_INSTALL / "kubernetes/amd64/kustomization.yaml").read_text())
        for text in asked:
            names = set(re.findall(r"depot_pool_\w+", text))
            self.assertTrue(names, text)
            self.assertLessEqual(names, families)

    def test_compose_and_stack_files_are_read(self):
        compose = self.rig["COMPOSE"]
        env = {"PATH": "/usr/bin:/bin", "SOURCE": "amd64", "VERSION": "1"}
        for name in ("swarm/builder.yaml", "swarm/stack.yaml", "swarm/stack.yaml swarm/replicas.yaml", "pool/compose.yaml"):
            files = [word for one in name.split() for word in ("--file", _INSTALL / one)]
            argv = [compose, *files, "config", "--format", "json"]
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            read = json.loads(done.stdout)
            if name.endswith("replicas.yaml"):
                self.assertEqual(read["services"]["pool"]["deploy"]["replicas"], 2)
            if name == "swarm/stack.yaml":
                self.assertEqual(read["services"]["pool"]["deploy"]["update_config"]["order"], "stop-first")
            if name == "swarm/builder.yaml":
                self.assertEqual(read["services"]["front"]["networks"]["fleet"]["aliases"], ["builders-amd64"])
                self.assertIn("discover: builders-amd64:8372", (_INSTALL / "swarm/pool.yaml").read_text())
                for service in read["services"].values():
                    self.assertEqual(service["stop_grace_period"], "6h0m0s")

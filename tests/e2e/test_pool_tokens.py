"""Who may build through the pool: tokens of projects and users, JWTs of GitLab, certificates."""

import contextlib
import hashlib
import json
import re
import subprocess
import time

import connect
from gitlab_ci import Issuer
from harness import processes
from pool import FINISHED, PoolTest, token_record

_NOT_YOURS = r"permission_denied.*forbidden|forbidden.*permission_denied"


class TokenTest(PoolTest):
    def small(self):
        run = f"RUN echo {self.image_name()}"
        return self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n{run}\n"})

    def builds(self, pool, token, project, check=0):
        return self.build(self.small(), env=pool.variables(token, project), check=check)


class Tokens(TokenTest):
    def test_a_project_token_builds_its_project_alone(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        self.builds(pool, token, "one")
        self.assertEqual(list(pool.builds(token, "one").values()), [FINISHED])
        result = self.builds(pool, token, "two", check=112)
        self.assertRegex(result.stderr, _NOT_YOURS)
        self.assertIn("two", result.stderr)
        self.assert_no_leak(token)

    def test_a_project_token_needs_no_project(self):
        pool = self.start_pool()
        token = pool.token(project="two")
        self.builds(pool, token, None)
        self.assertEqual(list(pool.builds(token, "two").values()), [FINISHED])

    def test_a_user_token_builds_the_projects_of_its_user(self):
        pool = self.start_pool()
        ada, bob = pool.token(user="ada"), pool.token(user="bob")
        self.builds(pool, ada, "one")
        self.builds(pool, ada, "two")
        self.builds(pool, bob, "two")
        self.assertRegex(self.builds(pool, bob, "one", check=112).stderr, _NOT_YOURS)
        self.assertEqual(len(pool.builds(ada, "two")), 2)

    def test_a_user_without_a_project_named_is_told_to_name_one(self):
        pool = self.start_pool()
        result = self.builds(pool, pool.token(user="ada"), None, check=110)
        self.assertIn("--project", result.stderr)

    def test_unknown_and_forbidden_projects_look_the_same(self):
        pool = self.start_pool()
        client = pool.client(pool.token(project="one"))
        said = [
            self.expect_refused(
                "permission_denied", client.call, "CreateBuild", {"project_id": project}
            ).replace(project, "X")
            for project in ("two", "not-there")
        ]
        self.assertEqual(said[0], said[1])
        client.close()

    def test_a_revoked_token_fails(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        self.builds(pool, token, "one")
        names = re.findall(r"\bid: *\"?([\w-]+)", pool.file.read_text().partition("tokens:")[2])
        pool.command("token", "revoke", names[-1])
        time.sleep(2)
        result = self.builds(pool, token, "one", check=112)
        self.assertRegex(result.stderr, "revoked")
        self.assertIn("DEPOT_TOKEN", result.stderr)

    def test_an_expired_token_fails(self):
        old, young = self.new_token_text(), self.new_token_text()
        records = [token_record("old", old, project="one", days=-1)]
        records.append(token_record("young", young, project="one", days=1))
        pool = self.start_pool(tokens=records)
        self.assertRegex(self.builds(pool, old, "one", check=112).stderr, "expired")
        self.builds(pool, young, "one")

    def test_an_unknown_token_fails(self):
        pool = self.start_pool()
        result = self.builds(pool, self.new_token_text(), "one", check=112)
        self.assertRegex(result.stderr, "unauthenticated|unknown|not valid")

    def test_no_token_at_all_names_three_ways_to_give_one(self):
        pool = self.start_pool()
        env = pool.variables(None, "one")
        result = self.build(self.small(), engine="containerd", env=env, check=112)
        for word in ("DEPOT_TOKEN", "login", "OIDC"):
            self.assertIn(word, result.stderr)
        self.assertEqual(pool.builds(pool.token(user="ada"), "one"), {})

    def test_a_token_is_shown_once_and_stored_as_a_hash(self):
        pool = self.make_pool()
        pool.add_builder("first", "tcp://127.0.0.1:1")
        pool.write()
        before = pool.file.read_text()
        token = pool.token(user="bob")
        after = pool.file.read_text()
        self.assertNotIn(token, after)
        self.assertIn(hashlib.sha256(token.encode()).hexdigest(), after)
        self.assertTrue(after.startswith(before.partition("tokens:")[0]))
        self.assertNotIn(token, pool.command("token", "list").stdout)
        self.assertEqual(pool.file.stat().st_mode & 0o077, 0)

    def test_a_token_expires_when_it_was_asked_to(self):
        pool = self.make_pool()
        pool.token("--expires", "30d", project="one")
        self.assertRegex(pool.file.read_text(), "expires")

    def test_a_build_token_opens_its_build_alone_and_not_after_its_end(self):
        pool = self.start_pool()
        client = pool.client(pool.token(project="one"))
        first, second = (client.call("CreateBuild", {"project_id": "one"}) for _ in range(2))
        client.token = first["build_token"]
        other = {"build_id": second["build_id"], "platform": connect.AMD64}
        own = {**other, "build_id": first["build_id"]}
        for method in ("GetBuildKitConnection", "ReportBuildHealth"):
            self.expect_refused("not_found", client.call, method, other)
        finish = {"build_id": second["build_id"], "success": {}}
        self.expect_refused("not_found", client.call, "FinishBuild", finish)
        project = {"project_id": "one"}
        for method in ("CreateBuild", "ListBuilds", "ResetProjectCache"):
            self.expect_refused("permission_denied", client.call, method, project)
        self.assertIn("active", client.call("GetBuildKitConnection", own))
        client.call("FinishBuild", {"build_id": first["build_id"], "success": {}})
        client.call("FinishBuild", {"build_id": first["build_id"], "success": {}})
        with self.assertRaises(connect.Refused):
            client.call("GetBuildKitConnection", own)
        client.close()

    def test_no_secret_is_in_a_log_an_argument_or_a_file(self):
        pool = self.start_pool()
        token = pool.token(project="one")
        context, step = self.endless_context()
        running = self.start_plugin("build", context, env=pool.variables(token, "one"))
        self.wait_for_step(step)
        secret = token.encode()
        for process in processes():
            with contextlib.suppress(OSError):
                self.assertNotIn(secret, (process / "cmdline").read_bytes())
        running.end()
        self.builds(pool, token, "one")
        self.builds(pool, self.new_token_text(), "one", check=112)
        pool.stop()
        self.assertTrue(pool.audit())
        self.assert_no_leak(token, pool.log(), json.dumps(pool.audit()))
        key = (pool.state / "ca-key.pem").read_text().splitlines()[1]
        self.assert_no_leak(key, written=[pool.state / "ca-key.pem"])

    def endless_context(self):
        step = self.endless_step()
        return self.context({"Dockerfile": f"FROM {self.rig['BASE']}\nRUN {step}\n"}), step


class GitLab(TokenTest):
    """A job's id_token opens the project that the pool's file maps its claims to."""

    def setUp(self):
        super().setUp()
        self.issuer = Issuer(self.folder)
        claims = {"project_path": "group/app", "ref_protected": "true"}
        self.pool = self.start_pool(oidc=[self.issuer.settings("one", claims)])

    def builds_with(self, token, project=None, check=0):
        env = self.pool.variables(None, project)
        env |= {"GITLAB_CI": "true", "DEPOT_OIDC_TOKEN": token}
        return self.build(self.small(), env=env, check=check)

    def test_a_jobs_token_builds(self):
        token = self.issuer.token()
        self.builds_with(token)
        listed = self.pool.builds(self.pool.token(user="ada"), "one")
        self.assertEqual(list(listed.values()), [FINISHED])
        self.assert_no_leak(token)

    def test_a_token_of_another_repository_is_refused(self):
        result = self.builds_with(self.issuer.token(project_path="group/evil"), check=112)
        self.assertRegex(result.stderr, "(?i)oidc")
        self.assertEqual(self.pool.builds(self.pool.token(user="ada"), "one"), {})

    def test_a_token_with_a_changed_claim_is_refused(self):
        head, _, signature = self.issuer.token().split(".")
        _, body, _ = self.issuer.token(
            ref_protected="true", project_path="group/app", sub="x"
        ).split(".")
        self.builds_with(f"{head}.{body}.{signature}", check=112)

    def test_the_project_must_be_the_one_that_the_claims_open(self):
        self.assertRegex(self.builds_with(self.issuer.token(), "two", check=112).stderr, _NOT_YOURS)


class Certificates(TokenTest):
    """Each build has a certificate of its own, for its builder, for minutes."""

    def connection(self, pool):
        return self.machine(pool, pool.token(project="one"))[1:]

    def save(self, active):
        certificate = self.folder / "client.pem"
        certificate.write_text(active["cert"]["cert"])
        return certificate

    def shown(self, active, *what):
        show = ["openssl", "x509", "-in", self.save(active), "-noout", *what]
        return subprocess.run(show, stdout=subprocess.PIPE, check=True, text=True).stdout

    def test_it_is_dead_within_minutes(self):
        pool = self.start_pool()
        build, active = self.connection(pool)
        certificate = self.save(active)
        for seconds, valid in ((500, True), (600 + 30, False)):
            check = ["openssl", "x509", "-in", certificate, "-noout", "-checkend", str(seconds)]
            done = subprocess.run(check, stdout=subprocess.DEVNULL, check=False)
            self.assertEqual(done.returncode == 0, valid, f"valid for another {seconds} s")
        text = self.shown(active, "-text")
        self.assertIn("TLS Web Client Authentication", text)
        self.assertNotIn("TLS Web Server Authentication", text)
        self.assertIn("CA:FALSE", text)
        for name in ("builder:first", "project:one", f"build:{build['build_id']}"):
            self.assertIn(f"URI:depot-pool:{name}", text)
        verify = ["openssl", "verify", "-purpose", "sslclient", "-CAfile", pool.clients_of("first")]
        subprocess.run([*verify, certificate], stdout=subprocess.DEVNULL, check=True)

    def test_the_builder_takes_it_and_no_other(self):
        pool = self.start_pool()
        _, active = self.connection(pool)
        self.enter(active)
        for name in ("", "STRANGER_"):
            self.assert_refused(active, files=(self.rig[f"{name}CERT"], self.rig[f"{name}KEY"]))

    def test_it_opens_no_builder_that_its_build_was_not_given(self):
        pool = self.start_pool()
        twin = self.bridge(client_ca=pool.clients_of("twin"))
        other = self.bridge(client_ca=pool.clients_of("other"))
        pool.add_builder("twin", twin.url, "linux/arm64")
        pool.add_builder("other", other.url, projects=["two"])
        pool.write()
        _, active = self.connection(pool)
        self.enter(active)
        self.assert_refused(active, url=twin.url)
        self.assert_refused(active, url=other.url)

    def test_each_build_has_its_own(self):
        pool = self.start_pool()
        (first, one), (second, two) = self.connection(pool), self.connection(pool)
        self.assertNotEqual(one["cert"], two["cert"])
        self.assertNotEqual(first["build_token"], second["build_token"])
        self.assertIn(first["build_id"], self.shown(one, "-subject"))

    def test_a_build_outlives_it_and_it_is_no_good_afterwards(self):
        """And a link that is lost afterwards is connected again with a new one."""
        pool = self.start_pool(certificate_minutes=1)
        link = self.link(pool.bridge.url.removeprefix("tcp://"))
        pool.settings["builders"][0]["endpoint"] = link.url
        pool.write()
        token = pool.token(project="one")
        name = self.image_name()
        lasting = f"FROM {self.rig['BASE']}\nRUN sleep 75 # {name}\n"
        context = self.context({"Dockerfile": lasting})
        running = self.start_plugin("build", context, env=pool.variables(token, "one"))
        running.wait_for_output(r"RUN sleep 75")
        cut, step = self.start_build_that_ends_when_it_is_begun_again(pool, token)
        client, build, active = self.machine(pool, token)
        self.enter(active)
        client.call("FinishBuild", {"build_id": build["build_id"], "success": {}})
        asked = {"build_id": build["build_id"], "platform": connect.AMD64}
        self.expect_refused("failed_precondition", client.call, "GetBuildKitConnection", asked)
        result = running.wait(120)
        self.results.append(result)
        self.assertEqual(result.rc, 0)
        self.assert_refused(active)
        # The certificate of the other build is older: without a new one there is no way to the builder.
        link.cut("reset")
        result = cut.wait(60)
        self.results.append(result)
        self.assertEqual(result.rc, 0, result)
        self.assertRegex(result.stderr, "lost the builder")
        self.assertIn("asking for a new certificate", result.stderr)
        self.assert_step_ends(step)

    def start_build_that_ends_when_it_is_begun_again(self, pool, token):
        step = self.endless_step()
        cache = f"--mount=type=cache,id={self.image_name()},target=/c"
        again = f"RUN {cache} test -e /c/begun && exit 0; touch /c/begun; {step}"
        context = self.context({"Dockerfile": f"FROM {self.rig['BASE']}\n{again}\n"})
        running = self.start_plugin("build", context, env=pool.variables(token, "one"))
        self.wait_for_step(step)
        return running, step

    def test_a_pool_makes_its_own_server_certificate(self):
        pool = self.make_pool()
        place = self.folder / "server"
        pool.command("ca", "server-certificate", "localhost", "127.0.0.1", "--out", place)
        certificate, key = place / "server.pem", place / "server-key.pem"
        self.assertEqual(key.stat().st_mode & 0o077, 0)
        pool.settings["tls"] = {"certificate": str(certificate), "key": str(key)}
        pool.ca_file = pool.authority
        pool.add_builder("first", self.bridge(client_ca=pool.clients_of("first")).url)
        pool.write()
        pool.start()
        self.builds(pool, pool.token(project="one"), "one")

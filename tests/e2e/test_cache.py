"""Caches: where steps come from, where they go, and that they never cost the image."""

import io
import json
import re
import shutil
import signal
import tarfile
import unittest

import trees
from actions_cache import ActionsCache
from faulty_registry import FaultyRegistry, answer
from harness import EndToEnd


class CacheTest(EndToEnd):
    """What the tests below share. `tls` builds; the engine `classic` has never seen the steps."""

    def steps(self, *more):
        """Two stages; what the RUN steps write is another each time that they run."""
        own = self.image_name()
        lines = [
            f"FROM {self.rig['BASE']} AS one",
            f"RUN echo {own} && cat /proc/sys/kernel/random/uuid >/uuid",
            f"FROM {self.rig['BASE']}",
            "COPY --from=one /uuid /one",
            f"RUN echo {own} && cat /proc/sys/kernel/random/uuid >/two",
            *more,
        ]
        return self.context({"Dockerfile": "\n".join(lines) + "\n"})

    def assert_cached(self, result, steps=3, also=""):
        """No step of the Dockerfile ran. `also`: what else a step may say instead."""
        names = dict(re.findall(r"^#(\d+) (\[.*\] (?:RUN|COPY) .*)$", result.stderr, re.M))
        self.assertEqual(len(names), steps, result)
        for number in names:
            self.assertRegex(result.stderr, rf"(?m)^#{number} (CACHED{also})$")

    def assert_second_builder_has_it(self, context, source, ran, engine="classic", **options):
        """The empty builder takes every step from the cache: the files are those of `ran`."""
        out = self.folder / "second"
        second = self.build("--cache-from", source, "-o", out, context, engine=engine, **options)
        # A containerd store fetches a layer when it is wanted: the step is then no longer said to be cached.
        self.assert_cached(second, also="" if engine == "classic" else "|extracting sha256:.*")
        for name in ("one", "two"):
            self.assertEqual(trees.text(out, name), trees.text(ran, name))
        shutil.rmtree(out)
        return second

    def build_files(self, context, *args, **options):
        """Builds to a folder with caches; gives the folder and the result."""
        out = self.folder / "first"
        return out, self.build(*args, "-o", out, context, builder="tls", **options)


class Caches(CacheTest):
    def test_a_registry_cache(self):
        context, cache = self.steps(), self.image_name("cache", registry="open")
        out, first = self.build_files(context, "--cache-to", f"type=registry,ref={cache},mode=max")
        self.assertRegex(first.stderr, rf"wrote the cache to {re.escape(cache)} in [\d.]+ s")
        self.assert_second_builder_has_it(context, cache, out)

    def test_a_registry_cache_behind_credentials(self):
        self.login("bearer")
        context, cache = self.steps(), self.image_name("cache", registry="bearer")
        out, _ = self.build_files(context, "--cache-to", cache)
        self.assert_second_builder_has_it(context, cache, out)
        self.assert_no_leak(self.rig["PUSHER"].partition(":")[2])

    def test_the_cache_of_actions(self):
        """With what the environment of an action has; the token is said to the builder and nobody else."""
        context = self.steps()
        with ActionsCache() as service:
            env = service.variables()
            out, first = self.build_files(context, "--cache-to", "type=gha,scope=own,mode=max", env=env)
            self.assertIn("wrote the cache to GitHub's cache (scope own)", first.stderr)
            self.assertTrue([name for name in service.names() if name.startswith("index-own-")], service.names())
            # The classic store has no such caches.
            self.start_newest_engine()
            self.assert_second_builder_has_it(context, "type=gha,scope=own", out, engine="newest", env=env)
        self.assert_no_leak(service.token)

    def test_a_local_cache(self):
        context, cache = self.steps(), self.folder / "cache ü"
        flags = ["--cache-from", f"type=local,src={cache}"]
        flags += ["--cache-to", f"type=local,dest={cache},mode=max,image-manifest=true"]
        out, first = self.build_files(context, *flags)
        self.assertRegex(first.stderr, r"the cache in the folder .* is not there \(yet\)")
        self.assertTrue((cache / "oci-layout").exists())
        self.assert_second_builder_has_it(context, f"type=local,src={cache}", out)

    def test_a_local_cache_has_tags_and_digests(self):
        contexts = [self.steps(f"LABEL number={number}") for number in range(2)]
        cache = self.folder / "cache"
        for number, context in enumerate(contexts):
            self.build_files(context, "--cache-to", f"type=local,dest={cache},tag=t{number}")
        index = json.loads((cache / "index.json").read_text())
        tags = [one["annotations"]["org.opencontainers.image.ref.name"] for one in index["manifests"]]
        self.assertEqual(tags, ["t0", "t1"])
        out = self.folder / "first"
        self.assert_second_builder_has_it(contexts[1], f"type=local,src={cache},tag=t1", out)
        digest = index["manifests"][1]["digest"]
        result = self.build(
            "--cache-from", f"type=local,src={cache},digest={digest}", contexts[1], engine="classic"
        )
        self.assert_cached(result)
        none = self.build("--cache-from", f"type=local,src={cache},tag=t9", contexts[1], builder="tls")
        self.assertRegex(none.stderr, r"the cache in the folder .* \(tag t9\) is not there \(yet\)")

    def test_an_inline_cache(self):
        for number, flags in enumerate(
            (["--cache-to", "type=inline"], ["--build-arg", "BUILDKIT_INLINE_CACHE=1"])
        ):
            # Only steps of the image itself are in it.
            own = f"echo {self.image_name()} {number}"
            context = self.context(
                {"Dockerfile": f"FROM {self.rig['BASE']}\nRUN {own} && date >/a\nRUN date >/b\n"}
            )
            image = self.image_name(registry="open", tag=f"t{number}")
            self.build(*flags, "-t", image, "--push", context, builder="tls")
            second = self.build("--cache-from", image, *flags[2:], context, engine="classic")
            self.assert_cached(second, steps=2)

    def test_a_context_on_standard_input_is_there_twice(self):
        context, cache = self.steps(), self.image_name("cache", registry="open")
        tar = io.BytesIO()
        with tarfile.open(fileobj=tar, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            archive.add(context / "Dockerfile", "Dockerfile")
        out = self.folder / "first"
        args = ("--cache-to", cache, "-o", out, "-")
        self.build(*args, builder="tls", stdin=tar.getvalue())
        self.assert_second_builder_has_it(context, cache, out)

    def test_no_cache_writes_the_steps_that_ran(self):
        context, cache = self.steps(), self.image_name("cache", registry="open")
        self.build_files(context)
        shutil.rmtree(self.folder / "first")
        out, result = self.build_files(context, "--no-cache", "--cache-to", cache)
        # The summary, #0, names slow steps once more.
        self.assertNotRegex(result.stderr, r"(?ms)wrote the cache.*^#[1-9][^\n]*RUN echo")
        self.assert_second_builder_has_it(context, cache, out)

    def test_several_builders_write_names_of_their_own(self):
        context, folder = self.steps(), self.folder / "cache"
        cache = self.image_name("cache", registry="open", tag="c")
        args = ("--platform", "linux/amd64,linux/arm64", "-o", self.folder / "first", context)
        to = ("--cache-to", cache, "--cache-to", f"type=local,dest={folder},mode=max")
        first = self.build(*to, *args, builder="both")
        self.assertIn(f"wrote the cache to {cache}-linux-amd64, {cache}-linux-arm64 in", first.stderr)
        repository = self.repository(cache)
        self.assertEqual(
            [repository.has(tag) for tag in ("c", "c-linux-amd64", "c-linux-arm64")],
            [False, True, True],
        )
        out = self.folder / "second"
        for source in (f"{cache}-linux-amd64", f"type=local,src={folder}"):
            second = self.build("--cache-from", source, "-o", out, context, engine="classic")
            self.assert_cached(second)
            first_file = self.folder / "first" / "linux_amd64"
            self.assertEqual(trees.text(out, "two"), trees.text(first_file, "two"))
        third = self.build("--cache-from", cache, *args, builder="both")
        self.assertNotIn("building without it", third.stderr)

    def test_as_docker_buildx_on_the_same_builder(self):
        theirs, ours = self.folder / "theirs", self.folder / "ours"
        context = self.steps()
        export = "type=local,mode=max,dest="
        self.run_buildx("build", "--cache-to", f"{export}{theirs}", context, builder="tls")
        self.build("--cache-to", f"{export}{ours}", context, builder="tls")
        layers = [sorted(self.layers_of(folder)) for folder in (theirs, ours)]
        self.assertEqual(*layers)
        # Each reads what the other wrote.
        for folder in (theirs, ours):
            source = ("--cache-from", f"type=local,src={folder}")
            self.assert_cached(self.build(*source, context, engine="classic"))
            self.run_buildx("build", *source, context, builder="tls")

    def layers_of(self, folder):
        index = json.loads((folder / "index.json").read_text())
        algorithm, _, name = index["manifests"][0]["digest"].partition(":")
        manifest = json.loads((folder / "blobs" / algorithm / name).read_text())
        layers = manifest.get("manifests") or manifest["layers"]
        return [one["digest"] for one in layers if "cacheconfig" not in one["mediaType"]]


class WithoutACache(CacheTest):
    """A source that is of no use is one line, and ends nothing."""

    def assert_built_without(self, source, why, **options):
        context = self.steps()
        result = self.build("--cache-from", source, context, builder="tls", **options)
        told = re.findall(r"^#0 the cache in .*$", result.stderr, re.M)
        self.assertEqual(len(told), 1, result)
        self.assertRegex(told[0], why)
        self.assertNotIn("importing cache manifest", result.stderr)
        self.assertNotIn("ERROR", result.stderr)

    def test_no_such_tag(self):
        self.assert_built_without(self.image_name(registry="open"), r"is not there \(yet\)")

    def test_nobody_may_read_it(self):
        self.assert_built_without(self.image_name(registry="bearer"), "may not be read")

    def test_a_silent_registry(self):
        self.assert_built_without(f"{self.silent_port()}/a/b", "no answer within 5 s")

    def test_no_such_folder(self):
        folder = self.folder / "none"
        self.assert_built_without(f"type=local,src={folder}", r"is not there \(yet\)")
        self.assertFalse(folder.exists())

    def test_a_corrupt_index(self):
        folder = self.context({"index.json": "{"})
        self.assert_built_without(f"type=local,src={folder}", "cannot be used")

    def test_a_link_out_of_the_sources(self):
        folder = self.context({"blobs/sha256/x": ""})
        (folder / "index.json").symlink_to("/etc/passwd")
        self.assert_built_without(f"type=local,src={folder}", "is a symbolic link")

    def test_an_image_that_is_no_cache(self):
        result = self.build("--cache-from", self.rig["BASE"], self.steps(), builder="tls")
        self.assertNotIn("ERROR", result.stderr)

    def test_a_registry_that_is_down_is_left_to_the_builder(self):
        source = f"{self.closed_port()}/a/b"
        self.build("--cache-from", source, self.steps(), builder="tls")

    def test_caches_of_other_services_where_these_are_not(self):
        args = ("--cache-from", "type=gha", "--cache-to", "type=gha,mode=max")
        result = self.build(*args, self.steps(), builder="tls")
        self.assertIn("--cache-to type=gha has no effect: it needs ACTIONS_RUNTIME_TOKEN", result.stderr)


class ImageFirst(CacheTest):
    """A cache that cannot be written: the image is where it was asked for."""

    def assert_only_the_cache_is_missing(self, cache, why, rc=113, ignored=False, **env):
        image = self.image_name(registry="open")
        metadata = self.folder / "metadata.json"
        to = f"type=registry,ref={cache},ignore-error={str(ignored).lower()}"
        result = self.build(
            *("--cache-to", to, "--metadata-file", metadata, "-q", "-t", image, "--push"),
            *(self.steps(),),
            builder="tls",
            check=0 if ignored else rc,
            env=env,
        )
        digest = json.loads(metadata.read_text())["containerimage.digest"]
        self.assertEqual(result.stdout.strip(), digest)
        self.assertEqual(self.repository(image).digest("latest"), digest)
        if not ignored:
            told = rf"ERROR: the build is done, but its cache could not be written to .* s\): .*{why}"
            self.assertRegex(result.stderr, told)
            self.assertIn("ignore-error=true", result.stderr)
        return result

    def test_a_registry_that_is_down(self):
        cache = f"{self.closed_port()}/a/b"
        self.assert_only_the_cache_is_missing(cache, "connection refused")
        self.assert_only_the_cache_is_missing(cache, "", ignored=True)

    def test_a_registry_that_says_nothing(self):
        self.assert_only_the_cache_is_missing(
            f"{self.silent_port()}/a/b", "longer than 2 s", rc=1, DEPOT_CACHE_TIMEOUT="2"
        )

    def test_ctrl_c_while_the_cache_is_written(self):
        image = self.image_name(registry="open")
        to = ("--cache-to", f"{self.silent_port()}/a/b")
        args = ("build", *to, "-t", image, "--push", self.steps())
        running = self.start_plugin(*args, builder="tls")
        running.wait_for_output("exporting cache to registry")
        running.send(signal.SIGINT)
        running.wait(20, check=130)
        self.assertTrue(self.repository(image).has("latest"))

    def test_a_registry_that_is_full(self):
        with FaultyRegistry(target=self.rig["REGISTRY_OPEN"]) as registry:
            registry.will("PUT", r"/blobs/uploads/", answer(507))
            registry.will("PATCH", r"/blobs/uploads/", answer(507))
            self.assert_only_the_cache_is_missing(f"{registry.address}/a/b:c", "507")

    def test_a_registry_that_lets_nobody_in(self):
        cache = self.image_name("cache", registry="bearer")
        self.assert_only_the_cache_is_missing(cache, "authorization", rc=112)
        context = self.steps()
        result = self.build("--cache-to", cache, context, builder="tls", check=112)
        self.assertIn("WARNING: writing the cache to", result.stderr)

    def test_a_folder_that_cannot_be_written_to_is_told_before_the_build(self):
        (self.folder / "file").write_text("")
        args = ("--cache-to", f"type=local,dest={self.folder / 'file'}")
        result = self.build(*args, self.steps(), builder="tls", check=1)
        self.assertNotIn("load build definition", result.stderr)
        ignored = self.build(args[0], f"{args[1]},ignore-error=true", self.steps(), builder="tls")
        self.assertRegex(ignored.stderr, r"WARNING: the build is done, but its cache")

    def test_a_malformed_index_keeps_what_is_there(self):
        folder = self.context({"index.json": "{"})
        args = ("--cache-to", f"type=local,dest={folder}")
        result = self.build(*args, self.steps(), builder="tls", check=1)
        self.assertIn("the build is done, but its cache", result.stderr)
        self.assertEqual((folder / "index.json").read_text(), "{")

    def test_an_engine_that_writes_no_caches_says_so_at_once(self):
        for engine in ("classic", "oldest"):
            cache = self.image_name("cache", registry="open")
            result = self.build("--cache-to", cache, self.steps(), engine=engine, check=1)
            self.assertIn("this Docker Engine cannot write such a cache", result.stderr)
            self.assertNotIn("load build definition", result.stderr)


if __name__ == "__main__":
    unittest.main()

"""The pool's page, `/`, in a real browser: behind a token, with names that would be more than names, in the dark and on a phone."""

import contextlib
import os
from pathlib import Path

import connect
from browser import Browser
from pool import Machine, PoolTest

_EVIL = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"


class Board(PoolTest):
    def start_busy_pool(self):
        """A pool of one slot with hostile names: who builds, who waits, who has failed."""
        pool = self.make_pool()
        machine = Machine()
        self.addCleanup(machine.close)
        pool.add_builder("first", machine.url, slots=1)
        pool.settings["projects"][0]["name"] = _EVIL
        pool.write()
        pool.start()
        for image in (_EVIL, "reg.example/\u202etxt.exe\n" + "long" * 60):
            self.ask_for_machine(pool, image)
        self.ask_for_machine(pool, "reg.example/failed", error=f"{_EVIL} failed")
        self.ask_for_machine(pool, "reg.example/not-yours", project="two")
        return pool

    def ask_for_machine(self, pool, image, error=None, project="one"):
        with contextlib.closing(pool.client(pool.token(project=project))) as client:
            options = [{"command": 1, "tags": [image]}]
            build = client.call("CreateBuild", {"project_id": project, "options": options})
            client.token = build["build_token"]
            asked = {"build_id": build["build_id"], "platform": connect.AMD64}
            if error:
                client.call("FinishBuild", {"build_id": build["build_id"], "error": {"error": error}})
            else:
                client.call("GetBuildKitConnection", asked)

    def start_browser(self):
        browser = Browser(self.folder)
        self.addCleanup(browser.close)
        return browser

    def sign_in(self, browser, token):
        browser.run(f"document.querySelector('input').value = '{token}'")
        browser.run("document.querySelector('button').click()")

    def test_a_person_looks_at_a_pool_with_hostile_names(self):
        pool = self.start_busy_pool()
        token = pool.token(project="one")
        browser = self.start_browser()
        browser.open(pool.url)
        self.assertNotIn("<script", browser.document())
        self.sign_in(browser, "wrong")
        browser.wait_for("document.body?.innerText.includes('opens nothing here')")
        self.sign_in(browser, token)
        browser.wait_for("document.querySelectorAll('.build').length === 3")
        # Nothing of it can be read by a script, or stands in an address.
        self.assertEqual(browser.run("document.cookie"), "")
        (cookie,) = browser.call("Network.getCookies")["cookies"]
        self.assertEqual(cookie["name"], "__Host-depot-pool")
        self.assertTrue(cookie["httpOnly"] and cookie["secure"])
        self.assertEqual(cookie["sameSite"], "Strict")
        self.assertEqual(browser.run("location.href"), f"{pool.url}/")
        self.assertNotIn(token, browser.document() + cookie["value"])

        document, text = browser.document(), browser.run("document.body.innerText")
        self.assertEqual(browser.run("document.querySelectorAll('img').length"), 0)
        self.assertEqual(browser.run("document.querySelectorAll('script').length"), 1)
        self.assertEqual(browser.run("document.title"), "depot-pool")
        self.assertIn(_EVIL, text)
        self.assertIn("<U+202E>", text)
        self.assertNotIn("\u202e", document)
        self.assertIn("another project", text)
        self.assertNotIn("not-yours", document)
        self.assertIn("every builder is busy", text)
        self.assertIn("1 of 1", text)
        inside = "[bar.clientWidth >= 3, bar.offsetLeft + bar.clientWidth <= bar.parentElement.clientWidth + 1]"
        bars = browser.run(f"[...document.querySelectorAll('.build .bar')].map(bar => {inside})")
        self.assertGreaterEqual(len(bars), 3)
        self.assertEqual([bar for bar in bars if bar != [True, True]], [])
        # The sign-in that was refused is the one thing that a console shows.
        self.assertEqual([entry for entry in browser.complaints() if "401" not in str(entry)], [])

        looks = {}
        for scheme in ("light", "dark"):
            for width in (1200, 360):
                browser.look_like(scheme, width)
                wide = browser.run("document.documentElement.scrollWidth")
                self.assertLessEqual(wide, width, f"{scheme}: the page is wider than the screen")
                looks[scheme, width] = browser.run("getComputedStyle(document.body).backgroundColor")
                if place := os.environ.get("DEPOT_E2E_PICTURES"):
                    Path(place, f"board-{scheme}-{width}.png").write_bytes(browser.picture())
        self.assertEqual(looks["light", 360], "rgb(255, 255, 255)")
        self.assertEqual(looks["dark", 360], "rgb(27, 27, 27)")

        browser.run("document.querySelector('header button').click()")
        browser.wait_for("!!document.querySelector('input[type=password]')")
        self.assertEqual(browser.call("Network.getCookies")["cookies"], [])

    def test_a_token_that_is_revoked_closes_the_page_that_is_open(self):
        pool = self.start_busy_pool()
        browser = self.start_browser()
        browser.open(pool.url)
        token = pool.token(project="one")
        self.sign_in(browser, token)
        browser.wait_for("document.querySelectorAll('.build').length === 3")
        listed = pool.command("token", "list").stdout.splitlines()[-1]
        pool.command("token", "revoke", listed.split()[0])
        browser.wait_for("!!document.querySelector('input[type=password]')")
        self.assertNotIn("reg.example", browser.document())

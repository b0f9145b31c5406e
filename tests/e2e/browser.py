"""A real chromium without a screen, told what to do over its DevTools pipe (--remote-debugging-pipe: JSON, each message ends in a NUL).

    browser = Browser(folder)
    browser.open("https://localhost:1/")
    browser.run("document.title")
"""

import base64
import json
import os
import shutil
import subprocess
import time


class Browser:
    """One page. Certificates are not checked: a pool's own is the subject of other tests."""

    def __init__(self, folder):
        program = shutil.which("chromium")
        assert program, "the package chromium is missing (tests/packages-test.txt)"
        told, self._write = os.pipe()
        self._read, said = os.pipe()
        argv = [program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        argv += ["--remote-debugging-pipe", "--ignore-certificate-errors", f"--user-data-dir={folder}/browser"]
        # Chromium reads from 3 and writes to 4.
        place = 'exec 3<&0 4>&1 </dev/null >/dev/null; exec "$@"'
        self._process = subprocess.Popen(
            ["sh", "-c", place, "sh", *argv],
            stdin=told,
            stdout=said,
            stderr=subprocess.DEVNULL,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
        )
        os.close(told)
        os.close(said)
        self._count, self._rest, self._session, self.events = 0, b"", None, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def close(self):
        self._process.kill()
        self._process.wait()
        os.close(self._read)
        os.close(self._write)

    def call(self, method, **parameters):
        """The result of a DevTools method; events that come meanwhile go to `events`."""
        self._count += 1
        message = {"id": self._count, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._write, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == self._count:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def _message(self):
        while b"\0" not in self._rest:
            piece = os.read(self._read, 1 << 16)
            assert piece, "the browser has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        return json.loads(message)

    def open(self, url):
        self.call("Page.navigate", url=url)
        self.wait_for("document.readyState === 'complete' && location.href !== 'about:blank'")

    def run(self, script):
        """The value of an expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait_for(self, script, seconds=60):
        end = time.monotonic() + seconds
        while not self.run(script):
            assert time.monotonic() < end, f"never true: {script}\n{self.document()}"
            time.sleep(0.05)

    def document(self):
        return self.run("document.documentElement.outerHTML")

    def look_like(self, scheme, width):
        """Dark or light, so many pixels wide; narrow ones are phones."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)

    def picture(self):
        """PNG."""
        return base64.b64decode(self.call("Page.captureScreenshot")["data"])

    def complaints(self):
        """What the page's scripts and policy were complained of."""
        kinds = ("Runtime.exceptionThrown", "Log.entryAdded", "Runtime.consoleAPICalled")
        return [event["params"] for event in self.events if event.get("method") in kinds]

"""A headless browser for the tests that look at a page: Chromium through its WebDriver, with the standard library."""

import base64
import json
import re
import shutil
import subprocess
import urllib.request

SECONDS = 60  # no single command of the browser may take longer


def find_browser():
    """The programs (driver, browser), or None where one of them is missing."""
    found = shutil.which("chromedriver"), shutil.which("chromium") or shutil.which("google-chrome")
    return found if all(found) else None


class Browser:
    """A session with one window; a context manager."""

    def __init__(self, width=1400, height=900, dark=False):
        driver, program = find_browser()
        self.process = subprocess.Popen([driver, "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                        text=True)
        self.base = None
        try:
            port = re.compile(r"successfully on port (\d+)")
            started = next(filter(None, map(port.search, self.process.stdout)))
            self.base = "http://127.0.0.1:%s/session" % started.group(1)
            # Containers give root no sandbox and little shared memory.
            arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu",
                         "--window-size=%d,%d" % (width, height)]
            arguments += ["--blink-settings=preferredColorScheme=0"] if dark else []
            options = {"binary": program, "args": arguments}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
            self.base += "/" + self.call("POST", "", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        except BaseException:
            self.process.kill()
            raise

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)["value"]

    def open(self, path):
        self.call("POST", "/url", {"url": path.resolve().as_uri()})

    def run(self, script, *arguments):
        """The value of a script's `return`."""
        return self.call("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def errors(self):
        """What the page has written to the console as an error since the last call."""
        lines = self.call("POST", "/se/log", {"type": "browser"})
        return [line["message"] for line in lines if line["level"] == "SEVERE"]

    def picture(self, path):
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        try:
            self.call("DELETE", "")
        finally:
            self.process.terminate()
            self.process.wait(SECONDS)
            self.process.stdout.close()

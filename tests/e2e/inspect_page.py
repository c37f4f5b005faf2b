#!/usr/bin/env python3
"""The page of `inspect --html`: one well-formed file that needs nothing else, and, where a headless browser is
installed, what a reader sees and does on it.

usage: inspect_page.py HALFSTEP [unittest's arguments]
"""

import json
import subprocess
import sys
import tempfile
import time
import unittest
from html.parser import HTMLParser
from pathlib import Path

sys.dont_write_bytecode = True  # the sources stay as they are
from browser import Browser, find_browser  # noqa: E402
from tool import REFERENCES, Tool  # noqa: E402

IO = 6
FLAGS = ["--loss", "cross_entropy", "--precision", "bf16-mixed"]
MODEL = REFERENCES / "transformer" / "model.json"
# Names that would end the script, open a comment, or run as markup if any of them reached the page unescaped.
HOSTILE = ["</script><script>window.owned=1</script>", "<!--<script>", "<img src=x onerror=window.owned=1>",
           "\"'&amp;${1}", "@STYLE@@SCRIPT@@SCRIPT_IR@@REPORT@"]
VOID = {"meta", "link", "input", "br", "img"}
TOOL = None


class Outline(HTMLParser):
    """Checks that elements nest, and collects attributes and the text of scripts."""

    def __init__(self):
        super().__init__(convert_charrefs=True)
        self.open, self.references, self.scripts = [], [], []

    def handle_starttag(self, tag, attributes):
        self.references += [value for name, value in attributes if name in ("src", "href", "action", "data")]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag):
        if self.open.pop() != tag:
            raise AssertionError("</%s> closes nothing" % tag)

    def handle_data(self, text):
        if self.open and self.open[-1] == "script":
            self.scripts[-1] += text


def outline_of(page):
    outline = Outline()
    outline.feed(page.read_text())
    outline.close()
    return outline


def data_of(page):
    return json.loads(outline_of(page).scripts[0])


def write_hostile(path):
    layers = [{"op": "linear", "name": name, "out": 4} for name in HOSTILE]
    path.write_text(json.dumps({"halfstep": 1, "name": HOSTILE[0], "layers": layers,
                                "inputs": {"x": {"dtype": "f32", "shape": ["N", 4]}}}))
    return path


class PageCase(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.page = Path(self.folder.name) / "page.html"

    def make(self, *flags, model=MODEL):
        self.assertEqual(TOOL("inspect", model, *FLAGS, *flags, "--html", self.page), "%s\n" % self.page)
        return self.page

    def hostile(self, *flags):
        return self.make(*flags, model=write_hostile(Path(self.folder.name) / "<b>&model.json"))


class File(PageCase):
    def test_it_is_well_formed_and_needs_nothing_else(self):
        outline = outline_of(self.make())
        self.assertEqual(outline.open, [])
        self.assertEqual(len(outline.scripts), 2)
        for reference in outline.references:
            self.assertRegex(reference, r"^(#\w+|data:,)$")
        self.assertNotRegex(self.page.read_text(), r"(?i)https?://|@import|url\(")

    def test_its_data_is_the_report(self):
        report = json.loads(TOOL("inspect", MODEL, *FLAGS, "--json"))
        data = data_of(self.make())
        self.assertEqual(data["reports"], [report])
        self.assertEqual(data["summaries"], [TOOL("inspect", MODEL, *FLAGS).splitlines()[0]])

    def test_its_ir_is_what_after_prints(self):
        for flags, stages in ([], ["import", "minimize-casts"]), (["--after", "fuse"], ["import", "fuse"]):
            sides = data_of(self.make(*flags))["ir"]
            self.assertEqual([side["stage"] for side in sides], stages)
            for side in sides:
                self.assertEqual(side["text"], TOOL("inspect", MODEL, *FLAGS, "--after", side["stage"]))
                self.assertEqual(len(side["lines"]), side["text"].count("\n"))

    def test_its_lines_know_their_layers(self):
        side = data_of(self.make())["ir"][1]
        lines = side["text"].splitlines()
        layers = {side["layers"][number - 1] for line, number in zip(lines, side["lines"]) if "nn.softmax" in line}
        self.assertEqual(layers, {"block0.weights", "block1.weights"})

    def test_two_specs_have_a_side_each(self):
        data = data_of(self.make("--diff", "16-mixed"))
        self.assertEqual([report["precision"] for report in data["reports"]], ["bf16-mixed", "16-mixed"])
        self.assertEqual([(side["label"], side["stage"]) for side in data["ir"]],
                         [("bf16-mixed", "minimize-casts"), ("16-mixed", "minimize-casts")])

    def test_hostile_names_stay_data(self):
        outline = outline_of(self.hostile())
        self.assertEqual((outline.open, len(outline.scripts)), ([], 2))
        names = [op["name"] for op in json.loads(outline.scripts[0])["reports"][0]["ops"]]
        self.assertEqual(names[:len(HOSTILE)], HOSTILE)

    def test_json_goes_to_stdout_beside_the_page(self):
        report = json.loads(TOOL("inspect", MODEL, *FLAGS, "--html", self.page, "--json"))
        self.assertEqual(data_of(self.page)["reports"], [report])

    def test_no_half_written_page_is_left(self):
        folder = Path(self.folder.name)
        for target in (folder / "missing" / "page.html", folder):
            error = subprocess.run([TOOL.path, "inspect", MODEL, *FLAGS, "--html", target], capture_output=True,
                                   text=True)
            self.assertEqual(error.returncode, IO)
            self.assertIn(str(target), error.stderr)
        self.page.write_text("as it was")
        TOOL("inspect", self.page, *FLAGS, "--html", self.page, expect=3)
        self.assertEqual([path.read_text() for path in folder.iterdir()], ["as it was"])


@unittest.skipUnless(find_browser(), "no headless browser: needs chromium and chromedriver")
class InBrowser(PageCase):
    def rows(self, browser, section):
        return browser.run("""return [...document.querySelectorAll('#' + arguments[0] + ' tbody tr')].map(
            row => [...row.cells].map(cell => cell.textContent))""", section)

    def type_into(self, browser, section, text):
        browser.run("""const box = document.querySelector('#' + arguments[0] + ' input[type=search]');
            box.value = arguments[1]; box.dispatchEvent(new Event('input'));""", section, text)

    def pick(self, browser, section, index, label):
        browser.run("""const select = document.querySelectorAll('#' + arguments[0] + ' select')[arguments[1]];
            select.value = [...select.options].find(each => each.textContent === arguments[2]).value;
            select.dispatchEvent(new Event('change'));""", section, index, label)

    def press(self, browser, buttons, text):
        browser.run("[...document.querySelectorAll(arguments[0])].find(b => b.textContent === arguments[1]).click()",
                    buttons, text)

    def test_the_ops_table_filters_and_sorts(self):
        self.make()
        with Browser() as browser:
            browser.open(self.page)
            self.assertEqual(len(self.rows(browser, "ops")), 54)
            self.type_into(browser, "ops", "BLOCK0.")
            self.assertEqual({row[0].split(".")[0] for row in self.rows(browser, "ops")}, {"block0"})
            self.pick(browser, "ops", 0, "lower")
            layers = [row[0] for row in self.rows(browser, "ops")]
            self.assertEqual(layers,
                             ["block0." + name for name in ("q", "k", "v", "scores", "mix", "proj", "up", "down")])
            self.assertEqual(browser.run("return document.querySelector('#ops [role=status]').textContent"),
                             "8 of 54 rows")
            self.type_into(browser, "ops", "32x8x64")  # as it is shown, not as it sorts
            self.assertEqual([row[0] for row in self.rows(browser, "ops")], ["block0.up", "block1.up"])
            self.type_into(browser, "ops", "block0.")
            head = "return document.querySelector('#ops thead th')"
            browser.run(head + ".querySelector('button').click()")
            self.assertEqual([row[0] for row in self.rows(browser, "ops")], sorted(layers))
            browser.run(head + ".querySelector('button').click()")
            self.assertEqual([row[0] for row in self.rows(browser, "ops")], sorted(layers, reverse=True))
            self.assertEqual(browser.run(head + ".getAttribute('aria-sort')"), "descending")
            self.assertEqual(browser.errors(), [])

    def test_numbers_sort_as_numbers(self):
        self.make()
        with Browser() as browser:
            browser.open(self.page)
            self.press(browser, "#activations thead button", "bytes")
            expected = [value["bytes"] for value in data_of(self.page)["reports"][0]["activations"]]
            shown = [row[-1] for row in self.rows(browser, "activations")]
            self.assertEqual((shown[0], shown[-1], len(shown)), ("32.0 KiB", "1.0 KiB", len(expected)))

    def test_only_what_differs(self):
        self.make("--diff", json.dumps({"precision": "bf16-mixed", "layers": {"head": "fp32"}}))
        with Browser() as browser:
            browser.open(self.page)
            browser.run("document.querySelector('#ops .filters input[type=checkbox]').click()")
            self.assertEqual([row[0] for row in self.rows(browser, "ops")], ["head", "loss"])
            self.assertEqual(browser.errors(), [])

    def test_both_sides_of_the_ir_scroll_together(self):
        self.make()
        lines = [side["text"].splitlines() for side in data_of(self.page)["ir"]]
        first = [next(i for i, line in enumerate(side) if "nn.gelu" in line) for side in lines]
        tops = "return [...document.querySelectorAll('.pane')].map(pane => pane.scrollTop / 19)"
        with Browser() as browser:
            browser.open(self.page)
            for mover, follower in ((0, 1), (1, 0)):
                browser.run("document.querySelectorAll('.pane')[arguments[0]].scrollTop = 19 * arguments[1]",
                            mover, first[mover])
                deadline = time.monotonic() + 10
                while abs(browser.run(tops)[follower] - first[follower]) > 1 and time.monotonic() < deadline:
                    time.sleep(0.05)
                self.assertAlmostEqual(browser.run(tops)[follower], first[follower], delta=1)
                browser.run("for (const pane of document.querySelectorAll('.pane')) pane.scrollTop = 0")
                time.sleep(0.2)  # the events of this scroll are not those of the next

    def test_a_layers_name_shows_it_in_the_ir(self):
        self.make()
        with Browser() as browser:
            browser.open(self.page)
            self.press(browser, "#ops button.link", "block1.gelu")
            chosen = browser.run("return [...document.querySelectorAll('.pane .chosen')].map(row => row.textContent)")
            self.assertTrue(chosen)
            for line in chosen:
                self.assertIn("nn.gelu", line)

    def test_hostile_names_are_shown_as_they_are(self):
        self.hostile()
        with Browser() as browser:
            browser.open(self.page)
            self.assertEqual([row[0] for row in self.rows(browser, "ops")][:len(HOSTILE)], HOSTILE)
            self.assertEqual(browser.run("return [typeof window.owned, document.images.length]"), ["undefined", 0])
            self.assertEqual(browser.errors(), [])

    def test_text_can_be_read_in_light_and_dark(self):
        self.make()
        script = """const parse = text => text.match(/[\\d.]+/g).slice(0, 3).map(x => { x /= 255;
              return x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4; });
            const light = text => parse(text).reduce((sum, x, i) => sum + x * [0.2126, 0.7152, 0.0722][i], 0);
            const style = element => getComputedStyle(element), pane = document.querySelector('.pane');
            return ['f64', 'f32', 'bf16', 'f16', 'int', 'faint'].map(name => {
              const probe = document.createElement('span');
              probe.className = name; pane.append(probe);
              const a = light(style(probe).color), b = light(style(pane).backgroundColor);
              const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
              return [name, contrast, style(document.body).backgroundColor]; });"""
        backgrounds = set()
        for dark in (False, True):
            with Browser(dark=dark) as browser:
                browser.open(self.page)
                for name, contrast, background in browser.run(script):
                    backgrounds.add(background)
                    self.assertGreaterEqual(contrast, 4.5, (name, dark))  # WCAG 2, AA
        self.assertEqual(len(backgrounds), 2)


if __name__ == "__main__":
    TOOL = Tool(sys.argv.pop(1))
    unittest.main()

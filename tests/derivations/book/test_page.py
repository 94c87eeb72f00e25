"""The book: what is displayed, linked, kept and refused; the page in a real browser."""

import html
import json
import math
import re
import shutil
import subprocess
from collections import Counter
from fractions import Fraction
from html.parser import HTMLParser
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from solvable.analytic.dynamics import dynamics
from solvable.analytic.loss import static_loss
from solvable.analytic.spectrum import PowerLaw
from solvable.derivations import catalogue
from solvable.derivations.book import assembly, printed
from solvable.derivations.book.assembly import build
from solvable.derivations.book.chapters import chapters
from solvable.derivations.book.fingerprint import closure, fingerprint
from solvable.derivations.book.gallery import UNDRAWN
from solvable.derivations.book.mathml import in_a_line, mathml
from solvable.derivations.book.pages import asset, page
from solvable.derivations.book.pictures import rendered
from solvable.derivations.book.record import GALLERY
from solvable.derivations.book.spectral_figures import spectrum
from solvable.derivations.cli import main
from solvable.validation.executors import SerialExecutor
from solvable.validation.report import page_css

SOME = (
    "resolvent", "ridgeless-loss", "matrix-marchenko-pastur",
    "matrix-complex-marchenko-pastur",
)  # fmt: skip
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
in_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium")
VOID = {"meta", "link", "img", "input", "br", "hr"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("book")


@pytest.fixture(scope="module")
def book(folder):
    return build(folder, SOME, SerialExecutor())


@pytest.fixture(scope="module")
def text(book):
    return page(book)


class Elements(HTMLParser):
    """All elements of a page in order: (tag, attributes, words inside)."""

    def __init__(self, source):
        super().__init__()
        self.found, self.open = [], []
        self.feed(source)

    def handle_starttag(self, tag, attributes):
        self.found.append((tag, dict(attributes), []))
        if tag not in VOID:
            self.open.append(len(self.found) - 1)

    def handle_endtag(self, tag):
        while self.open and self.found[self.open.pop()][0] != tag:
            pass

    def handle_data(self, data):
        for index in self.open:
            self.found[index][2].append(data)


def test_what_has_not_changed_is_not_made_again(book, folder, monkeypatch):
    def never(name, names):
        raise AssertionError(f"{name} is made again")

    monkeypatch.setattr(assembly, "record", never)
    assert build(folder, SOME, SerialExecutor()).records == book.records
    with pytest.raises(AssertionError, match="again"):
        build(folder, ("time-law",), SerialExecutor())


def test_a_fingerprint_knows_what_a_module_rests_on():
    used = closure("derivations.solvable_model.ridgeless_loss")
    assert {"analytic.loss", "analytic.notation", "derivations.checks"} <= used
    assert "derivations.cli.book_command" not in used
    module = "solvable.derivations.solvable_model.ridgeless_loss"
    assert fingerprint(module, "a") != fingerprint(module, "b")


def displayed_here(book):
    """(chapter, formula) of every equation that is displayed."""
    for chapter, one in assembly.walk(book):
        shown = [(s["name"], s["latex"]) for s in one["steps"] if not s["supports"]]
        shown += [(f"conclusion-{i}", c["latex"]) for i, c in enumerate(one["conclusion"], 1)
                  if not c["step"]]  # fmt: skip
        for name, code in shown:
            if book.displayed[f"{one['name']}/{name}"] == f"{one['name']}/{name}":
                yield chapter.key, code


def trivial(code):
    left, sign, right = code.partition(" = ")
    return bool(sign) and left == right


def test_no_equation_is_trivial_or_displayed_twice_in_a_chapter(book):
    shown = Counter(displayed_here(book))
    assert shown and max(shown.values()) == 1, shown.most_common(1)
    assert not [code for _, code in shown if trivial(code)]
    assert trivial("x = x") and not trivial("L{(N,T)} = L{(T,N)}")
    # the same equation of two results is displayed at the first and linked from the second
    again = "matrix-complex-marchenko-pastur/self-consistency"
    assert book.displayed[again] == "matrix-marchenko-pastur/self-consistency"


@pytest.mark.thorough
def test_no_equation_of_the_catalogue_is_trivial():
    for name in catalogue.names():
        for step in catalogue.load(name).claims:
            assert step.claim.lhs != step.claim.rhs, f"{name}/{step.name}"


def test_the_page_needs_nothing_else(text):
    elements = Elements(text).found
    for tag, attributes, _ in elements:
        for name in ("src", "href", "srcset", "action"):
            address = attributes.get(name) or ""
            assert not re.match(r"(https?:)?//", address), address
            if name in attributes and name == "src":
                assert address.startswith("data:")
        assert tag not in ("link", "iframe", "object")
    assert "@import" not in text and len(re.findall(r"url\((?!data:|%23)", text)) == 0
    assert len(text) < 3_000_000


def test_pictures_are_well_formed(text):
    pictures = [a["src"] for tag, a, _ in Elements(text).found if tag == "img"]
    assert pictures
    for address in pictures:
        head, _, code = address.partition(",")
        assert head == "data:image/svg+xml"
        assert ElementTree.fromstring(unquote(code)).tag.endswith("svg")


def test_links_lead_somewhere_and_names_are_unique(text):
    elements = Elements(text).found
    ids = Counter(a["id"] for _, a, _ in elements if "id" in a)
    assert max(ids.values()) == 1, ids.most_common(2)
    for _, attributes, _ in elements:
        if (attributes.get("href") or "").startswith("#"):
            assert attributes["href"][1:] in ids, attributes["href"]
    assert {"resolvent/equation", "ridgeless-loss", "chapter-limits"} - set(ids) <= {
        "chapter-limits"
    }


def test_everything_is_there(book, text):
    visible = re.sub(r"<(script|style)[^>]*>.*?</\1>", "", text, flags=re.S)
    assert "\\" not in re.sub(r"<[^>]*>", "", visible), "LaTeX is left"
    assert "@" not in re.sub(r"<[^>]*>", "", visible), "a reference is left"
    for name, one in book.records.items():
        assert f'id="{name}"' in text and f"solvable check {name}" in text
        assert one["figure"], name
        for step in one["steps"]:
            assert html.escape(step["message"])[:40] in text
            assert f"{step['outcome']}</span>" in text
    assert text.count("<math") > 100


def test_the_page_is_accessible(text):
    elements = Elements(text).found
    tags = Counter(tag for tag, _, _ in elements)
    assert tags["main"] == tags["h1"] == tags["header"] == 1 and tags["nav"] >= 1
    assert 'lang="en"' in text and "<title>" in text
    levels = [int(tag[1]) for tag, _, _ in elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in zip(levels, levels[1:])), levels
    assert all(a.get("alt") for tag, a, _ in elements if tag == "img")
    labels = {a["for"] for tag, a, _ in elements if tag == "label" and "for" in a}
    assert all(a["id"] in labels for tag, a, _ in elements if tag == "input")
    assert all("".join(inside).strip() or a.get("aria-label")
               for tag, a, inside in elements if tag in ("a", "button", "h2", "h3"))  # fmt: skip


def luminance(colour):
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def test_colours_have_contrast():
    css = page_css()
    for theme in re.findall(r"\{(--paper:[^}]*)\}", css):
        colours = dict(re.findall(r"--(\w+):(#[0-9a-fA-F]{3,6})", theme))
        full = {
            k: v if len(v) == 7 else "#" + "".join(2 * c for c in v[1:]) for k, v in colours.items()
        }
        for name in ("ink", "soft", "link", "pass", "fail", "open"):
            for ground in ("paper", "tint"):
                assert contrast(full[name], full[ground]) >= 4.5, (name, ground, full)
    assert contrast("#777777", "#ffffff") < 4.5 < contrast("#595959", "#ffffff")


def test_a_renamed_symbol_is_renamed_everywhere(book, folder):
    names = {"kappa": r"\lambda_*"}
    renamed = build(folder, ("ridgeless-loss",), SerialExecutor(), names)
    plain = re.sub(
        r"<img[^>]*>|<script.*?</script>|<(figure).*?</\1>", "", page(renamed), flags=re.S
    )
    body = plain[plain.index('<article id="ridgeless-loss"') : plain.index("</article>")]
    assert "κ" not in re.sub(r"<[^>]*>", "", body) and re.search("<mo[^>]*>[*∗]</mo>", body)
    assert "κ" in page(book)
    code = printed.latex(renamed)
    section = code[code.index(r"\section{The ridgeless") :]
    assert r"\kappa" not in section[: section.index(r"\begin{figure}")]


def test_every_derivation_has_a_place():
    rooms = {
        name: entry.build.__module__.split(".")[-2] for name, entry in catalogue.entries().items()
    }
    placed = [name for chapter in chapters(rooms) for name in chapter.names]
    assert sorted(placed) == sorted(rooms)
    assert "a-new-one" in {n for c in chapters({"a-new-one": "relatives"}) for n in c.names}


def test_what_is_not_drawn_says_why():
    known = set(catalogue.names())
    assert known >= set(UNDRAWN) | set(GALLERY) and not set(UNDRAWN) & set(GALLERY)
    assert all(UNDRAWN.values())


def test_a_spectrum_is_drawn_of_resolvents_alone():
    found = spectrum("semicircle")
    histogram, density = found.curves
    assert found.x == "x" and spectrum("ridge-bias") is None and spectrum("no-such") is None
    x, y = np.array(density.x), np.array(density.y)
    right = np.sqrt(np.maximum(4 - x**2, 0)) / (2 * np.pi)
    assert np.max(np.abs(y - right)) < 1e-6
    area = np.sum(np.diff(histogram.x) * histogram.y[:-1])
    assert abs(area - 1) < 1e-9


def test_letters_of_pictures_are_those_of_the_numbers():
    code = rendered(spectrum("semicircle"))["svg"]
    letters = re.findall(r"<tspan[^>]*>([^<]*)</tspan>", code)
    assert "0.20" in letters and not set("".join(letters)) & set(":;¡")
    assert ElementTree.fromstring(code).get("viewBox") and len(code) < 9000


def test_a_long_formula_in_a_line_can_be_broken():
    code = r"\rho = -2 (a + b \left(c - d\right)) - e_{x + y} + x^{-1}, y \to \infty"
    found = in_a_line(code)
    assert found.count("<wbr>") == found.count("<math>") - 1 == 6
    assert in_a_line("x = y").count("<math>") == 1


def test_unknown_commands_are_not_let_pass():
    with pytest.raises(ValueError, match="unknown"):
        mathml(r"\unknown{x}")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no pdflatex")
def test_the_printed_book_has_the_same_content(book, folder):
    printed.write_figures(book, folder)
    source = folder / "book.tex"
    source.write_text(printed.latex(book))
    assert printed.pdf(source).stat().st_size > 50_000
    log = (folder / "book.log").read_text(errors="replace")
    assert "undefined" not in log.lower()
    wide = [float(w) for w in re.findall(r"Overfull \\[hv]box \(([\d.]+)pt", log)]
    assert max(wide, default=0) < 5
    shown = re.findall(r"\\tag\{([\d.]+)\}", source.read_text())
    linked = set(re.findall(r'aria-label="Equation ([\d.]+)"', page(book)))
    assert set(shown) == linked and len(shown) == len(linked)
    assert (folder / "figures" / "resolvent.csv").read_text().startswith("curve,")


# ---- the command -------------------------------------------------------------------------


def test_bad_input(tmp_path, capsys, monkeypatch):
    def said(*argv):
        status = main(["book", *argv])
        return status, capsys.readouterr().err

    blocked = tmp_path / "file"
    blocked.write_text("")
    assert said("resolvent", "--to", str(blocked / "x"))[0] == 2
    assert said("resolvent", "--to", str(blocked))[0] == 2
    status, err = said("resolvnt", "--to", str(tmp_path))
    assert status == 2 and "resolvent" in err
    status, err = said("resolvent", "--to", str(tmp_path), "--rename", "kappa=N")
    assert status == 2 and "no other symbol" in err
    source = tmp_path / "book.tex"
    source.write_text("x")
    monkeypatch.setattr(printed.shutil, "which", lambda name: None)
    with pytest.raises(ValueError, match="texlive"):
        printed.pdf(source)
    assert source.exists()


# ---- in a browser ------------------------------------------------------------------------


def run_in_browser(folder, source, script, width=1280):
    """What the script, run after the page, returns (JSON), and errors of any script."""
    probe = """<script>const errors = [];
addEventListener("error", (event) => errors.push(event.message));</script>"""
    tail = """<script>addEventListener("load", async () => {
const out = document.createElement("pre"); out.id = "out";
out.textContent = JSON.stringify({errors, value: await (async () => {%s})()});
document.body.append(out);});</script></body>"""
    target = folder / "probe.html"
    source = source.replace("<head>", "<head>" + probe, 1)
    target.write_text(source.replace("</body>", tail % script))
    command = [
        CHROMIUM,
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--dump-dom",
        f"--window-size={width},900",
        "--virtual-time-budget=60000",
        f"file://{target}",
    ]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=240).stdout
    found = json.loads(html.unescape(re.search(r'<pre id="out">(.*?)</pre>', dom, re.S)[1]))
    assert not found["errors"], found["errors"]
    return found["value"]


FRAME = """
const frame = document.createElement("iframe");
frame.style.cssText = "width:%dpx;height:900px;border:0";
frame.srcdoc = document.documentElement.outerHTML.replace(/<script[^]*?<.script>/g, "");
document.body.replaceChildren(frame);
await new Promise((done) => frame.addEventListener("load", done));
for (const steps of frame.contentDocument.querySelectorAll("details")) steps.open = true;
const root = frame.contentDocument.documentElement;
return [root.scrollWidth, frame.contentWindow.innerWidth];
"""


@in_browser
@pytest.mark.thorough
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(text, folder, width):
    wide, screen = run_in_browser(folder, text, FRAME % width)
    assert wide <= screen == width


@in_browser
@pytest.mark.thorough
def test_no_serious_accessibility_fault(text, folder):
    axe = pytest.importorskip("axe_core_python")
    code = (__import__("pathlib").Path(axe.__path__[0]) / "axe.min.js").read_text()
    source = text.replace("</body>", f"<script>{code}</script></body>")
    script = """for (const steps of document.querySelectorAll("details")) steps.open = true;
    const found = await axe.run(document, {resultTypes: ["violations"]});
    return found.violations.map((v) => [v.id, v.impact, v.nodes.length, v.nodes[0].html]);"""
    faults = run_in_browser(folder, source, script)
    assert not [fault for fault in faults if fault[1] in ("serious", "critical")], faults


LOSSES = [  # b, a, N, T, M, ridge, noise
    (1.5, 1.5, 1e12, 4e12, math.inf, 0, 0), (1.5, 1.5, 1e12, 4e12, math.inf, 1000, 0.1),
    (1.5, 2.5, 4e12, 1e12, math.inf, 0, 0.01), (1.25, 1.5, 1e12, 1e12, math.inf, 1, 0.5),
    (2, 1.5, 1e12, 1.5e12, 1e15, 100, 0), (2, 4, 1e6, 3e7, math.inf, 0, 0),
    (1.5, 1.5, 300, 100, 2000, 0.25, 0.125), (3, 3, 50, 60, 20, 0.5, 0.25),
    (1.5, 1.5, 30, 60, 25, 0, 0.25),
]  # fmt: skip
TIMES = [(10, 1.25, 1.5, math.inf), (1e6, 1.25, 1.5, math.inf), (1e3, 1.5, 2, 1e4)]


def exact(x):
    return x if x == math.inf else Fraction(x)


def law(b, a, modes):
    size = math.inf if modes == math.inf else int(modes)
    return PowerLaw(exponent=Fraction(b), target_exponent=Fraction(a), size=size)


@in_browser
def test_the_explorer_has_the_numbers_of_the_library(folder):
    rows = json.dumps([LOSSES, TIMES]).replace("Infinity", "1e999")
    script = f"""const [losses, times] = {rows};
    const loss = ([b, a, N, T, M, ridge, noise]) => solvable.loss({{b, a, N, T, M, ridge, noise}});
    return [losses.map(loss),
            times.map(([t, b, a, M]) => solvable.timeLoss(t, b, a, M))];"""
    source = f"<html><head></head><body><script>{asset('explorer.js')}</script></body></html>"
    losses, times = run_in_browser(folder, source, script)
    for (b, a, n, t, m, ridge, noise), found in zip(LOSSES, losses):
        given = {"ridge": exact(ridge), "noise": exact(noise)}
        right = static_loss(law(b, a, m), exact(n), exact(t), **given, digits=20).excess_loss
        assert abs(found / float(right) - 1) < 1e-10, (b, a, n, t, m, ridge, noise)
    for (t, b, a, m), found in zip(TIMES, times):
        right = dynamics(law(b, a, m), math.inf, math.inf, [Fraction(t)], digits=16).excess_loss[0]
        assert abs(found / float(right) - 1) < 1e-10, (t, b, a, m)


@in_browser
@pytest.mark.thorough
def test_the_explorer_redraws_with_its_sliders(text, folder):
    script = """const before = document.getElementById("readout").textContent, seen = [];
    for (const id of ["s-N", "s-T", "s-ridge", "s-noise", "s-alpha", "s-time"]) {
      const input = document.getElementById(id);
      input.value = Number(input.value) + 0.4;
      input.dispatchEvent(new Event("input"));
      seen.push(Number(document.getElementById("desk").dataset.milliseconds));
    }
    return [before, document.getElementById("readout").textContent, seen];"""
    before, after, seen = run_in_browser(folder, text, script)
    assert before != after and all(x > 0 for x in seen)

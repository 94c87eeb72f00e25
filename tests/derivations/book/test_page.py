"""The book: what is displayed, linked, kept and refused; the page in a real browser."""

import html
import re
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import numpy as np
import pytest

from solvable.analytic.notation import printed_as
from solvable.analytic.typesetting import latex
from solvable.derivations import catalogue
from solvable.derivations.book import assembly, printed, record
from solvable.derivations.book.assembly import build
from solvable.derivations.book.chapters import chapters
from solvable.derivations.book.fingerprint import closure, fingerprint
from solvable.derivations.book.gallery import GALLERY, UNDRAWN
from solvable.derivations.book.mathml import in_a_line, mathml
from solvable.derivations.book.pages import page
from solvable.derivations.book.pictures import observed, rendered
from solvable.derivations.book.spectral_figures import spectrum
from solvable.derivations.checks import Verdict
from solvable.derivations.cli import main
from solvable.derivations.derivation import Step
from solvable.derivations.export.latex import Style, fragment
from solvable.derivations.export.renaming import symbols
from solvable.validation.executors import SerialExecutor
from solvable.validation.report import page_css
from tests.derivations.book.browser import Browser, in_browser

SOME = (
    "resolvent", "ridgeless-loss", "matrix-marchenko-pastur",
    "matrix-complex-marchenko-pastur",
)  # fmt: skip
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
    """Two sides of a relation, or of a chain of them, that are written alike."""
    depth, sides = 0, [""]
    for part in re.split(r"(\\[a-z]+|\\.|[{}=])", re.sub(r"[&\s]", "", code)):
        depth += (part == "{") - (part == "}")
        if not depth and part in ("=", r"\simeq", r"\approx", r"\equiv", r"\sim"):
            sides.append("")
        else:
            sides[-1] += part
    return len(set(sides)) < len(sides)


#: transposes, the words of commands, and the new names
NOT_LETTERS = re.compile(
    r"\^\{T\}|\\(?:begin|end|operatorname\*?|math[a-z]+)\{\w+\}(?:\{c+\}|_\{\d+\})?"
)


def test_no_equation_is_trivial_or_displayed_twice_in_a_chapter(book):
    shown = Counter(displayed_here(book))
    assert shown and max(shown.values()) == 1, shown.most_common(1)
    assert not [code for _, code in shown if trivial(code)]
    assert not trivial("L{(N,T)} = L{(T,N)}")
    assert not trivial(r"x = \sum_{k=1}^{M} a_{k} + \sum_{k=1}^{M} b_{k}")
    assert all(map(trivial, ("x = x", r"\kappa \simeq \kappa", "x &= y = y")))
    # the same equation of two results is displayed at the first and linked from the second
    again = "matrix-complex-marchenko-pastur/self-consistency"
    assert book.displayed[again] == "matrix-marchenko-pastur/self-consistency"


@pytest.mark.slow
def test_no_equation_of_the_catalogue_is_trivial_or_repeated_and_all_are_renamed(monkeypatch):
    """The whole book as it is displayed, its checks and figures left out, and renamed."""
    monkeypatch.setattr(Step, "verify", lambda step: Verdict("pass", ""))
    monkeypatch.setattr(record, "_figure", lambda derivation, verdicts: None)
    rooms = {n: one.build.__module__.split(".")[-2] for n, one in catalogue.entries().items()}
    records = {name: record.record(name) for name in rooms}
    made = tuple((c, tuple(records[name] for name in c.names)) for c in chapters(rooms))
    shown = Counter(displayed_here(assembly.Book(made)))
    assert max(shown.values()) == 1 and len(shown) > 400, shown.most_common(1)
    assert not [code for _, code in shown if trivial(code)]
    for name in rooms:
        derivation = catalogue.load(name)
        known = sorted(symbols([derivation]))
        names = {one: rf"\mathfrak{{q}}_{{{i}}}" for i, one in enumerate(known)}
        old = {latex(printed_as(one)) for one in known} - {"+", "-"}  # sides of limits
        claims = [*(step.claim for step in derivation.claims), *derivation.conclusion]
        rest = NOT_LETTERS.sub(" ", latex(claims, names))
        left = [x for x in old if re.search(rf"(?<![A-Za-z\\]){re.escape(x)}(?![A-Za-z_])", rest)]
        assert not left, (name, left)
        style = Style(names={"kappa": r"\lambda_*"})  # in texts too; with an index it is another
        assert not re.search(r"\\kappa(?![a-z_])", fragment(derivation, style)), name


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


def test_a_limit_is_drawn_from_where_it_begins_to_hold():
    found = observed(catalogue.load("limit-noise-beyond"), {})
    last = [curve.y[-1] for curve in found.curves]
    assert [len(curve.x) > 12 for curve in found.curves] == [
        True
    ] * 3 and "N = 3 T" in found.caption
    assert max(found.curves[-1].y) > 0.1 and last[0] < 1e-4
    assert sorted(last, reverse=True) == last


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


@pytest.fixture(scope="module")
def browser():
    one = Browser()
    yield one
    one.close()


@pytest.fixture(scope="module")
def written(text, folder):
    target = folder / "page.html"
    target.write_text(text)
    return target


UNFOLD = 'for (const one of document.querySelectorAll("details")) one.open = true;'


@in_browser
def test_the_page_asks_for_nothing_and_works_without_network(written, browser):
    browser.open(written)
    assert not browser.faults()
    assert [r for r in browser.requests if not r.startswith("data:")] == [f"file://{written}"]
    look = """await document.fonts.ready;
    const pictures = [...document.images];
    for (const one of pictures) one.loading = "eager";
    await Promise.all(pictures.map((one) => one.decode()));
    return [document.fonts.check("16px Formula"), pictures.length,
            pictures.filter((one) => one.naturalWidth < 100).length];"""
    font, pictures, empty = browser.run(look)
    assert font and pictures == len(SOME) and empty == 0


@in_browser
def test_the_page_is_read_without_scripts(written, browser):
    browser.open(written, scripts=False)
    seen = """const high = (one) => one.getBoundingClientRect().height > 0;
    const shown = (one) => one.checkVisibility() && high(one);
    const all = (what) => [...document.querySelectorAll(what)];
    return [all(".noscript").every(shown), all("#desk, .tools").some(shown),
            all("article").length, all("article img").filter(shown).length,
            all("article math").filter(shown).length, all("details > summary").every(shown)];"""
    notice, tools, results, pictures, formulas, summaries = browser.run(seen)
    assert notice and not tools and summaries
    assert results == pictures == len(SOME) and formulas > 20


@in_browser
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_is_wider_than_the_screen(written, browser, width):
    browser.open(written, width)
    wide, screen = browser.run(
        UNFOLD + "return [document.documentElement.scrollWidth, innerWidth];"
    )
    assert wide <= screen == width


@in_browser
@pytest.mark.thorough
def test_no_serious_accessibility_fault(written, browser):
    axe = pytest.importorskip("axe_core_python")
    browser.open(written)
    browser.run((Path(axe.__path__[0]) / "axe.min.js").read_text() + "; window.axe = axe;")
    script = """const found = await axe.run(document, {resultTypes: ["violations"]});
    return found.violations.map((v) => [v.id, v.impact, v.nodes.length, v.nodes[0].html]);"""
    faults = browser.run(UNFOLD + script)
    assert not [fault for fault in faults if fault[1] in ("serious", "critical")], faults

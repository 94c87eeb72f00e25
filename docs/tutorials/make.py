"""Write and execute the tutorials: each is a list of texts and of code, kept here in one place.

    python docs/tutorials/make.py

needs nbformat, nbclient and ipykernel. The tests run the code of the notebooks without Jupyter.
"""

from __future__ import annotations

from pathlib import Path

TUTORIALS: dict[str, list[str]] = {
    "1-derive-a-limiting-form": [
        "# Derive a limiting form\n\nThe loss of ridgeless regression on N random features of T samples when T ≫ N ≫ 1, with "
        "corrections and with the size of what is left out.",
        ">>>import solvable as sv\n\nform = sv.limit(\"loss\", \"1 << N << T, M = inf, z = 0\", alpha=0.5, terms=2)\nform",
        "The terms, in the order of their size; `conditions` say where that order holds.",
        ">>>for term in form.terms:\n    print(term.expression)\nprint(\"needs\", form.conditions)",
        "Against the exact loss at N = 1000, T = 10⁶ (α = ½, λ₊ = σ_w = 1):",
        ">>>import math\n\nlaw = sv.PowerLaw(alpha=0.5)\nexact = sv.static_loss(law, 1000, 10**6).excess_loss\n"
        "c = (math.pi / 1.5) / math.sin(math.pi / 1.5)\nleading = c**1.5 * 1000**-0.5\nprint(exact, leading)\n"
        "assert abs(leading / exact - 1) < 2e-3",
    ],
    "2-export-a-formula": [
        "# Export a formula\n\nEvery formula is the LaTeX of an object: bare, as a labelled equation, as a fragment of a paper "
        "or as an article, in the symbols of your own paper.",
        ">>>import solvable as sv\nfrom solvable.derivations import catalogue\n\nstep = catalogue.load(\"test-loss\")[\"isotropic-target\"]\nstep",
        ">>>print(sv.to_latex(step))",
        ">>>print(sv.to_latex(step, \"equation\", label=\"eq:loss\", rename={\"kappa\": r\"\\lambda_*\", \"T\": \"n\"}))",
        "A renaming that makes two symbols look alike is refused:",
        ">>>try:\n    sv.to_latex(step, rename={\"kappa\": \"N\"})\nexcept sv.InputError as error:\n    print(error)\nelse:\n    raise AssertionError",
        "What was exported can be read again:",
        ">>>left, right = sv.read_latex(sv.to_latex(step))\nassert right == step.claim.rhs\nright",
        "On the command line: `solvable show test-loss/isotropic-target --format latex --rename 'kappa=\\lambda_*'`, and "
        "`solvable show test-loss --format latex --form article --bib sources.bib` for the whole derivation.",
    ],
    "3-check-a-law-numerically": [
        "# Check a law numerically\n\nThe claim: the loss falls with the exponent α of the spectrum. First by the exact loss, at sizes "
        "that no simulation reaches; then by a simulation.",
        ">>>import numpy as np\nimport solvable as sv\n\nlaw = sv.PowerLaw(alpha=0.5)\nsizes = np.geomspace(1e3, 1e12, 10)\n"
        "loss = sv.static_loss(law, sizes, np.inf).excess_loss\nslope = np.gradient(np.log(loss), np.log(sizes))\nprint(slope.round(6))\n"
        "assert abs(slope[-1] + 0.5) < 1e-6",
        "Ridge regression on random features, drawn twenty times:",
        ">>>rng = np.random.default_rng(0)\nM, N, T, ridge = 400, 40, 80, 1.0\nsmall = sv.PowerLaw(alpha=0.5, size=M)\nroot = np.sqrt(np.asarray(small.eigenvalues(), float))\n\n\n"
        "def draw():\n    x = root[:, None] * rng.standard_normal((M, T))\n    u = rng.standard_normal((N, M))\n    w = rng.standard_normal(M)\n    phi = u @ x\n"
        "    theta = (w @ x) @ phi.T @ np.linalg.inv(phi @ phi.T + ridge * np.eye(N))\n    return np.sum((root * (w - theta @ u)) ** 2)\n\n\n"
        "draws = np.array([draw() for _ in range(400)])\nmean, error = draws.mean(), draws.std() / 20\ntheory = sv.static_loss(small, N, T, ridge=ridge).excess_loss\n"
        "print(f\"simulation {mean:.4f} ± {error:.4f}, theory {theory:.4f}\")\nassert abs(mean - theory) < 4 * error",
        "`solvable check --list` names the experiments that reproduce the figures of the source papers, with one verdict each.",
    ],
    "4-bring-a-matrix-expression": [
        "# Bring a matrix expression\n\nWrite the expression down and declare its matrices; the self-consistent equations are derived, reduced "
        "and proved.",
        ">>>import solvable as sv\n\nmodel = sv.parse_declarations([\"X:M,T:1/T\"], deterministic=[\"L:M\"])\n"
        "equations = sv.derive(\"tr(inv(sqrt(L)*X*X.T*sqrt(L) + z*I))\", model)\nequations",
        "The proof: moments equal sums over planar pairings, exactly, to any order that is asked for.",
        ">>>proof = equations.prove_planar(order=4)\nprint(proof.holds, proof.orders)\nassert proof.holds",
        "Numbers, for white data of 200 dimensions and 400 samples, against a draw:",
        ">>>import numpy as np\n\nwhite = sv.derive(\"tr(inv(X*X.T + z*I))\", sv.parse_declarations([\"X:M,T:1/T\"]))\n"
        "theory = white.solve({\"M\": 200, \"T\": 400, \"z\": 0.5})\nx = np.random.default_rng(0).standard_normal((200, 400)) / 20\n"
        "drawn = np.trace(np.linalg.inv(x @ x.T + 0.5 * np.eye(200))) / 200\nvalue = float(np.real(getattr(theory, \"value\", theory)))\nprint(value, drawn)\nassert abs(value / drawn - 1) < 0.02",
    ],
    "5-bring-data": [
        "# Bring data\n\nMeasured eigenvalues, with the power of the target in each mode if it is known, take the place of the power law.",
        ">>>import tempfile\nfrom pathlib import Path\n\nimport numpy as np\nimport solvable as sv\n\n"
        "rng = np.random.default_rng(1)\nmixing = rng.standard_normal((60, 60)) * np.arange(1, 61) ** -0.8\ndata = rng.standard_normal((5000, 60)) @ mixing.T\n"
        "eigenvalues = np.linalg.eigvalsh(data.T @ data / 5000)[::-1]\npath = Path(tempfile.mkdtemp()) / \"eigenvalues.csv\"\n"
        "path.write_text(\"\\n\".join(map(repr, map(float, eigenvalues))))\nmeasured = sv.read_spectrum(path)\nmeasured",
        "Its loss with the best ridge, for several numbers of samples:",
        ">>>best = sv.optimal_ridge(measured, 40, np.array([20.0, 40.0, 80.0]), noise=0.1)\nprint(best.ridge.round(3), best.excess_loss.round(3))\n"
        "assert np.all(np.diff(best.excess_loss) < 0)",
        "On the command line: `solvable loss --spectrum eigenvalues.csv --features 40 --samples 80 --ridge optimal --noise 0.1`.",
    ],
    "6-add-a-model": [
        "# Add a model\n\nA derivation is a function that returns steps; a step has a claim, a reason and a check. Registered, it is found by "
        "`solvable list`, `show`, `check`, `export` and `book` alike.",
        ">>>import sympy as sp\n\nfrom solvable.analytic.notation import N, T\nfrom solvable.derivations import catalogue\nfrom solvable.derivations.catalogue import Parts, derivation\n"
        "from solvable.derivations.checks import Exact\nfrom solvable.derivations.derivation import Step\nfrom solvable.derivations.relations import equation\n\n\n"
        "@derivation(\"harmonic-size\", \"The size of two resources in series\")\ndef harmonic_size():\n    \"\"\"Losses that add like resistances are the loss of one size.\"\"\"\n"
        "    size = sp.Symbol(\"S\", positive=True)\n    value = sp.solve(sp.Eq(1 / size, 1 / N + 1 / T), size)[0]\n"
        "    step = Step(\"size\", equation(size, value), \"1/S = 1/N + 1/T solved for S.\", Exact(value=lambda: 1 / (1 / N + 1 / T)),\n"
        "                wrong=(equation(size, N + T),))\n    return Parts([step], step.claim)",
        ">>>catalogue.entries.cache_clear()\nmade = catalogue.load(\"harmonic-size\")\nmade",
        "Its check passes, and rejects the wrong claim that the step carries for this purpose:",
        ">>>step = made[\"size\"]\nprint(step.verify())\nassert step.verify().passed\nassert not step.with_claim(step.wrong[0]).verify().passed",
        "In the package the function stands in a file of one of the rooms of `derivations/`, and is found by itself.",
    ],
}  # fmt: skip


def notebook(cells: list[str]):
    """A notebook of these cells; code begins with >>>."""
    import nbformat.v4 as nb

    made = [nb.new_code_cell(c[3:]) if c.startswith(">>>") else nb.new_markdown_cell(c) for c in cells]
    for index, cell in enumerate(made):
        cell["id"] = f"cell-{index}"
    return nb.new_notebook(cells=made, metadata={"kernelspec": {
        "name": "python3", "display_name": "Python 3", "language": "python"}})  # fmt: skip


def main() -> None:
    """Execute and write all of them."""
    import nbformat
    from nbclient import NotebookClient

    for name, cells in TUTORIALS.items():
        made = notebook(cells)
        NotebookClient(made, timeout=300, kernel_name="python3", coalesce_streams=True).execute()
        for cell in made.cells:
            cell.metadata.pop("execution", None)
            for out in cell.get("outputs", ()):  # a formula needs no text that names addresses
                if "text/latex" in out.get("data", {}):
                    out["data"].pop("text/plain", None)
        nbformat.write(made, Path(__file__).parent / f"{name}.ipynb")
        print(name)


if __name__ == "__main__":
    main()

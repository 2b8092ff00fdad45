"""The notebook for one T4, run on a CPU with the model of the package."""

from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "docs/examples/language_model_on_a_t4.ipynb"

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::RuntimeWarning")
def test_the_notebook_runs_through_with_one_parameter_changed(monkeypatch):
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    assert not any(cell.get("outputs") for cell in notebook.cells)
    (parameters,) = (c for c in notebook.cells if c.source.count("\nMODEL = "))
    parameters.source = 'MODEL = "argus-tiny"'
    nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3").execute()
    said = "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))
    assert said.count("at the frontier") == 3
    assert "'delta'" in said and "answer:" in said

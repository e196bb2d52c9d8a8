# make run opens the app, make test runs the checks. Each sets up .venv first, once.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: run test test-slow bench standalone test-standalone screenshots menu formulas clean

run: $(READY)
	@$(BIN)/python main.py

test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	OMP_NUM_THREADS=1 QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -n auto --dist worksteal

test-slow: $(READY)
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m slow

bench: $(READY)
	QT_QPA_PLATFORM=offscreen $(BIN)/python -m pytest -m benchmark -s

# A folder that starts without Python: dist/DisentangleStudio.
standalone: $(READY)
	$(BIN)/pyinstaller --noconfirm build.spec

# After an edit of resources/help/formulas.toml.
formulas: $(READY)
	$(BIN)/python -m gui.help.draw_formulas

# The README's pictures of the window, over a folder with evaluated runs on dSprites: make screenshots RUNS=DIR
screenshots: $(READY)
	$(BIN)/python -m gui.window.screenshots "$(RUNS)"

# The self-test, frozen, elsewhere, with nothing around it, and by mouse; builds first where dist/ is empty.
test-standalone: $(READY)
	test -x dist/DisentangleStudio/DisentangleStudio || $(MAKE) standalone
	$(BIN)/python -m pytest -m standalone -s tests/end_to_end/test_standalone.py

# Linux: an entry in the desktop's menu, by which docks know the window's icon and its progress.
menu: $(READY)
	@resources/linux/add-to-menu "$(CURDIR)/$(BIN)/python" "$(CURDIR)/main.py"

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Disentangle Studio needs Python 3.11 or newer; $(PYTHON) is older. Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo "Could not create $(VENV). On Debian and Ubuntu: apt install python3-venv" >&2; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check -e '.[dev]'
	@touch $@

clean:
	rm -rf build dist .pytest_cache .mypy_cache .ruff_cache

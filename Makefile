# The six commands that one needs, in an environment with `pip install -e ".[dev]"`.
.PHONY: test slow lint types docs ci

test: ## the suite without what takes minutes
	python -m pytest

slow: ## what takes minutes
	python -m pytest -m slow

lint: ## style, and who may import whom
	ruff check .
	ruff format --check .
	lint-imports

types:
	mypy

docs: ## the site into site/; `mkdocs serve` shows it while you write
	NO_MKDOCS_2_WARNING=1 mkdocs build --strict

ci: ## all of it, in a fresh environment of its own
	.ci/run

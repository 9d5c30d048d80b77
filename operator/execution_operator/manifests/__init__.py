"""The files that are generated: models, roles and policies → `crds/`, `deploy/` and `docs/api.md`.

`python -m execution_operator.manifests` writes them; with `--check` it only says which have drifted.
"""

"""The files that are generated: models, roles and policies → `crds/` and `deploy/kustomize/`.

`python -m execution_operator.manifests` writes them; with `--check` it only says which have drifted.
"""

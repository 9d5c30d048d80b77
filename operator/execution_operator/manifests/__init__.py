"""Generates `crds/`, most of `deploy/`, and `docs/api.md` from the models, roles and policies.

`python -m execution_operator.manifests` writes the files. With `--check` it writes nothing and reports the differences.
"""

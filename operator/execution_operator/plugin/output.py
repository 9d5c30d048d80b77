"""Output of objects with -o, in kubectl's forms."""

import json
import sys

from execution_operator.plugin.client import Json
from execution_operator.plugin.values import GROUP


def objects(form: str | None, items: list[Json]) -> None:
    """Print objects in the requested form: one object as it is, several as a List."""
    if form is None:
        return
    if form == "name":
        text = "".join(f"execution.{GROUP}/{item['metadata']['name']}\n" for item in items)
    else:
        for item in items:
            item["metadata"].pop("managedFields", None)
        whole = items[0] if len(items) == 1 else {"apiVersion": "v1", "kind": "List", "items": items}
        text = json.dumps(whole, indent=4, ensure_ascii=False) + "\n" if form == "json" else _yaml(whole)
    sys.stdout.write(text)
    sys.stdout.flush()


def _yaml(content: Json) -> str:
    import yaml  # noqa: PLC0415 - the other forms do without

    text: str = yaml.safe_dump(content, sort_keys=True, allow_unicode=True)
    return text

"""Output of objects with -o, in the formats of kubectl."""

import json
import sys

from execution_operator.plugin.client import Json
from execution_operator.plugin.values import GROUP


def print_objects(output_format: str | None, items: list[Json]) -> None:
    """Print objects: a single one as it is, several as a List.

    Args:
        output_format: `json`, `yaml` or `name`. None prints nothing.
        items: The objects. Their managedFields are left out.
    """
    if output_format is None:
        return
    if output_format == "name":
        text = "".join(f"execution.{GROUP}/{item['metadata']['name']}\n" for item in items)
    else:
        for item in items:
            item["metadata"].pop("managedFields", None)
        document = items[0] if len(items) == 1 else {"apiVersion": "v1", "kind": "List", "items": items}
        text = json.dumps(document, indent=4, ensure_ascii=False) + "\n" if output_format == "json" else _yaml(document)
    sys.stdout.write(text)
    sys.stdout.flush()


def _yaml(content: Json) -> str:
    import yaml  # noqa: PLC0415 - the other formats don't need it

    text: str = yaml.safe_dump(content, sort_keys=True, allow_unicode=True)
    return text

"""Hooks of MkDocs (mkdocs.yml): pages written from the program itself, and links that lead out of
docs/.

`make docs` builds the site. The reference of campaign keys, commands and documents is made from the
schema, the command line and the document models, so that it cannot be out of date.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
# Files outside docs/ that are pages of the site.
TAKEN_IN = {
    "benchmarks/README.md": "benchmarks.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
}
# Source files of which a made page tells the same.
TOLD_BY = {
    "gen2dft/campaign/spec.py": "campaign-keys.md",
    "gen2dft/store/documents.py": "documents.md",
    "gen2dft/api/campaign.py": "api-reference.md",
}
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|mailto:|#)([^)#\s]+)(#[^)]*)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are made."""
    from mkdocs.structure.files import File

    made = {
        "campaign-keys.md": campaign_keys(),
        "commands.md": commands(),
        "documents.md": documents(),
        "api-reference.md": api_reference(),
    }
    made |= {name: moved((ROOT / source).read_text(), source) for source, name in TAKEN_IN.items()}
    for name, text in made.items():
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links of the pages in docs/ that lead to other folders."""
    del config, files
    return moved(markdown, f"docs/{page.file.src_uri}")


def moved(text: str, source: str) -> str:
    """A document's text with links as they are on the site: to a page, or to the name of a file in
    the repository.
    """

    def link(found: re.Match[str]) -> str:
        mark, words, target, anchor = found[1], found[2], found[3], found[4] or ""
        path = os.path.normpath(Path(source).parent / target)
        if page := TAKEN_IN.get(path) or TOLD_BY.get(path):
            return f"{mark}[{words}]({page}{anchor})"
        if path.startswith("docs/"):
            return f"{mark}[{words}]({path.removeprefix('docs/')}{anchor})"
        if (ROOT / path).exists():
            return words if path in words else f"{words} (`{path}`)"
        return found[0]  # made pages, and what the strict build will complain about

    return LINK.sub(link, text)


def campaign_keys() -> str:
    """Every key of a campaign file, from the schema that reads it."""
    from gen2dft.campaign import CampaignSpec
    from gen2dft.generators import load_generator_class
    from gen2dft.plugins import SHIPPED

    text = [
        "# All keys of a campaign file",
        "Made from the schema that reads the file (`gen2dft/campaign/`). Only `name`, "
        "`targets` and `sampling` (or `draws`) "
        "must be given; an unknown key is refused, and the nearest valid one named. Each generator "
        "has keys of its own, listed at the end.",
    ]
    text += _tables(CampaignSpec.model_json_schema(by_alias=True), "")
    for name in SHIPPED["gen2dft.generators"]:
        settings = load_generator_class(name).Settings
        text += _tables(settings.model_json_schema(), f"generator {name}")
    return "\n\n".join(text) + "\n"


def _tables(schema: Mapping[str, Any], title: str) -> Iterator[str]:
    """A title, what it is about and a table of its keys, for a model and all parts in it."""
    for place, part in _parts(schema, schema, title):
        if place:
            yield f"## {place}"
            yield part.get("description", "").split("\n\n")[0]
        rows = ["| key | value | default | meaning |", "|---|---|---|---|"]
        required = part.get("required", ())
        for name, value in part["properties"].items():
            default = "*required*" if name in required else _default(value)
            meaning = _cell(value.get("description", ""))
            rows.append(f"| `{name}` | {_kind(value)} | {default} | {meaning} |")
        yield "\n".join(rows)


def _parts(
    schema: Mapping[str, Any], part: Mapping[str, Any], place: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Dotted place and schema of a part and of all parts in it."""
    yield place, part
    for name, value in part["properties"].items():
        # In a mapping to parts the file chooses the names.
        inside = f"{name}.NAME" if "additionalProperties" in value else name
        for reference in _references(value):
            inner = schema["$defs"][reference]
            if "properties" in inner:
                yield from _parts(schema, inner, f"{place}.{inside}".lstrip("."))


def _references(value: Any) -> list[str]:
    """Names of the definitions that a value may be."""
    if isinstance(value, Mapping):
        own = [value["$ref"].rpartition("/")[2]] if "$ref" in value else []
        return own + [
            name
            for key in ("anyOf", "allOf", "items", "additionalProperties")
            for name in _references(value.get(key))
        ]
    return [name for item in value for name in _references(item)] if isinstance(value, list) else []


def _kind(value: Mapping[str, Any]) -> str:
    """What may be given, in words."""
    if "enum" in value:
        return " or ".join(f"`{choice}`" for choice in value["enum"])
    if "const" in value:
        return f"`{value['const']}`"
    if "$ref" in value:
        return "a part, see below"
    if options := value.get("anyOf"):
        return " or ".join(dict.fromkeys(_kind(option) for option in options))
    kind = value.get("type", "")
    if kind == "array":
        return f"list of {_kind(value['items'])}" if "items" in value else "list"
    if kind == "object":
        inner = value.get("additionalProperties")
        return f"mapping to {_kind(inner)}" if isinstance(inner, Mapping) else "mapping"
    limits = {
        "exclusiveMinimum": "above",
        "minimum": "from",
        "exclusiveMaximum": "below",
        "maximum": "to",
    }
    said = [f"{word} {value[name]:g}" for name, word in limits.items() if name in value]
    names = {
        "integer": "whole number",
        "string": "text",
        "boolean": "true or false",
        "null": "null",
    }
    return " ".join([names.get(kind, kind), *said])


def _default(value: Mapping[str, Any]) -> str:
    default = value.get("default")
    if isinstance(default, Mapping | list) and default and ("$ref" in str(value)):
        return "as below"
    if isinstance(default, bool) or default is None:
        return f"`{str(default).lower()}`".replace("none", "null")
    return f"`{default}`" if default != "" else "empty"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def commands() -> str:
    """Every command with its options, from the command line itself."""
    from gen2dft.cli.app import VERBS, load_verb

    text = [
        "# Commands",
        "As `gen2dft COMMAND --help` says it. The order is that of a campaign's life.",
    ]
    for name in VERBS:
        verb = load_verb(name)
        for title, command in [
            (name, verb),
            *((f"{name} {sub}", c) for sub, c in getattr(verb, "commands", {}).items()),
        ]:
            text += [f"## gen2dft {title}", (command.help or VERBS[name].help).strip()]
            rows = list(_options(command, title))
            if rows:
                text.append("\n".join(["| option | meaning |", "|---|---|", *rows]))
    return "\n\n".join(text) + "\n"


def _options(command: Any, title: str) -> Iterator[str]:
    """Rows of a command's arguments and options."""
    context = command.make_context(title, [], resilient_parsing=True)
    for parameter in command.params:
        names = ", ".join(f"`{option}`" for option in (*parameter.opts, *parameter.secondary_opts))
        if parameter.param_type_name == "argument":
            names = f"`{parameter.metavar or parameter.name.upper()}`"
        record = parameter.get_help_record(context)
        yield (
            f"| {names} | {_cell(record[1] if record else getattr(parameter, 'help', '') or '')} |"
        )


def documents() -> str:
    """Every field of every document, from the models that the store reads and writes."""
    from gen2dft.store.schema import COLLECTIONS

    text = [
        "# Documents of the database",
        "One collection per kind; arrays are blobs (GridFS `blobs`) under the hash of their "
        "content. Each document "
        "also has `schema_version`, `code_version` and `created`.",
    ]
    shared = {"id", "schema_version", "code_version", "created"}
    for name, model in COLLECTIONS.items():
        schema = model.model_json_schema()
        text += [f"## {name}", (model.__doc__ or "").strip().split("\n\n")[0]]
        rows = ["| field | value | meaning |", "|---|---|---|"]
        for field, value in schema["properties"].items():
            if field not in shared:
                rows.append(
                    f"| `{field}` | {_kind(value)} | {_cell(value.get('description', ''))} |"
                )
        text.append("\n".join(rows))
    return "\n\n".join(text) + "\n"


def api_reference() -> str:
    """Every class and method of the Python API, from its docstring."""
    import gen2dft.api as api
    from gen2dft.rounds.asking import Asked

    text = [
        "# API reference",
        "Made from the docstrings. The page [Python API](api.md) has examples.",
    ]
    text += _described("gen2dft.connect", api.connect)
    for cls in (api.Session, api.Campaign, Asked):
        text += _described(cls.__name__, cls)
        for name, member in vars(cls).items():
            if not name.startswith("_") and (inspect.getdoc(member) or "").strip():
                text += _described(f"{cls.__name__}.{name}", member)
    return "\n\n".join(text) + "\n"


def _described(title: str, member: Any) -> Iterator[str]:
    """A heading, how it is called, and its docstring."""
    is_class = inspect.isclass(member)
    yield f"{'##' if is_class or '.' not in title.removeprefix('gen2dft.') else '###'} {title}"
    if callable(member) and not is_class:
        # Annotations are texts; defaults that are texts keep their quotes.
        signature = re.sub(r"(: |-> )'([^']*)'", r"\1\2", str(inspect.signature(member)))
        yield f"```text\n{title}{re.sub(r'[(]self(, )?', '(', signature)}\n```"
    yield _sections(inspect.getdoc(member) or "")


def _sections(docstring: str) -> str:
    """A NumPy docstring as Markdown: sections in bold, one item per parameter."""
    plain = re.sub(r"^(Parameters|Returns|Raises)\n-+$", r"**\1**\n", docstring, flags=re.MULTILINE)
    return re.sub(r"^(\w[\w, ]*)\n {4}", r"\n- `\1`: ", plain, flags=re.MULTILINE)

"""Campaign files, and the options that change them: `submit --dry-run`."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import yaml
from hypothesis import strategies as st

from gen2dft.campaign import load_campaign
from tests.fuzz import mutations
from tests.fuzz.case import Case, Special
from tests.fuzz.examples import training_set
from tests.fuzz.values import WRONG_VALUES
from tests.toys import TOY_CAMPAIGN

FILE, DATA = "campaign.yaml", "mine.npz"
SUBMIT = ("submit", "--dry-run", "-f", FILE)
Draw = Callable[[Any], Any]

YAML_TEXTS = {
    "empty": "",
    "only a comment": "# nothing",
    "null": "null",
    "a list": "[1, 2]",
    "a number": "1e400",
    "open bracket": "name: [",
    "tab": "name:\t- a\n\tb: c",
    "two documents": "name: a\n---\nname: b",
    "deep brackets": "name: " + "[" * 3000,
    "deep mappings": "{a: " * 400 + "1" + "}" * 400,
    "deep anchors": "\n".join(
        [f"a0: &a0 [{'x, ' * 9}x]"]
        + [f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}*a{i - 1}]" for i in range(1, 9)]
    ),
    "anchor of itself": "name: &a [*a]",
    "python tag": "name: !!python/object/apply:os.system ['true']",
    "python name": "name: !!python/name:os.system ''",
    "unknown tag": "name: !thing {a: 1}",
    "binary": "name: !!binary '////'",
    "set": "name: !!set {a, b}",
    "impossible date": "name: 2026-13-45",
    "impossible time": "name: 2026-11-30 25:61:61",
    "list as key": "? [1, 2]\n: 3",
    "mapping as key": "{{a: 1}: 2}",
    "sexagesimal": "name: 190:20:30",
    "huge integer": "seed: " + "9" * 5000,
    "merge of nothing": "<<: 3\nname: a",
    "control characters": "name: a\x07b",
    "carriage returns": "name: a\rtargets: []\r",
}


@cache
def bases() -> dict[str, dict[str, Any]]:
    """Valid campaigns with every field written out, all on one small training set."""
    found: dict[str, dict[str, Any]] = {"toy": {**TOY_CAMPAIGN, "dataset": {"min_labels": 3}}}
    for name in ("thermoelectric", "photovoltaic", "formation-energy"):
        resolved = load_campaign(name, {"dataset.few_labels": "leave-open"})
        found[name] = resolved.model_dump(mode="json", by_alias=True)
        found[name]["dataset"] |= {"min_labels": 3, "labels": [], "num_elements": [2, 3]}
    for campaign in found.values():
        campaign["dataset"] = {**campaign["dataset"], "source": DATA}
    return json.loads(json.dumps(found))


def _case(entry: str, damaged: mutations.Damaged, text: str | bytes, *options: str) -> Case:
    content = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    files = {FILE: content, DATA: training_set()}
    return Case(entry, damaged.kind, damaged.place, (*SUBMIT, *options), files)


def valid_campaigns() -> list[Case]:
    """The campaign files as they are."""
    intact = mutations.Damaged("", mutations.NOTHING, "")
    return [_case("campaign files", intact, _as_yaml(base)) for base in bases().values()]


def valid_sets() -> list[Case]:
    """Each of them with a field set to what it may be."""
    intact = mutations.Damaged("", mutations.NOTHING, "")
    options = ("--set=learning.batch=8", "--set=description='any: text'")
    return [_case("--set", intact, _as_yaml(base), *options) for base in bases().values()]


@st.composite
def campaign_files(draw: Draw) -> Case:
    """A campaign file with damaged fields, damaged text, or something else in its place."""
    base = bases()[draw(st.sampled_from(sorted(bases())))]
    way = draw(st.sampled_from(("fields", "fields", "fields", "text", "bytes", "other", "place")))
    if way == "fields":
        damaged = draw(mutations.documents(base))
        return _case("campaign files", damaged, _as_yaml(damaged.content))
    if way == "place":
        return draw(_no_files())
    if way == "other":
        name = draw(st.sampled_from(sorted(YAML_TEXTS)))
        damaged = mutations.Damaged(YAML_TEXTS[name], f"YAML: {name}", "file")
        return _case("campaign files", damaged, damaged.content)
    text = yaml.safe_dump(base, sort_keys=False)
    if way == "bytes":
        damaged = draw(_encodings(text) | mutations.byte_damage(text.encode()))
    else:
        damaged = draw(mutations.line_damage(text) | mutations.number_damage(text))
    return _case("campaign files", damaged, damaged.content)


def _as_yaml(document: Any) -> str:
    """YAML that also has a form for texts that are no Unicode."""
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=False)


@st.composite
def _encodings(draw: Draw, text: str) -> mutations.Damaged:
    name = draw(st.sampled_from(("utf-16", "utf-32", "utf-8-sig", "latin-1", "cp037")))
    content = text.replace("name:", "name: Tellür", 1).encode(name, "replace")
    return mutations.Damaged(content, f"encoding: {name}", "file")


@st.composite
def _no_files(draw: Draw) -> Case:
    special: Special = draw(st.sampled_from(("folder", "fifo", "null", "dangling", "itself")))
    files = {FILE: b"", DATA: training_set()}
    place = draw(st.sampled_from((FILE, DATA)))
    files[FILE] = _as_yaml(bases()["toy"]).encode()
    kind = f"in the place of a file: {special}"
    return Case("campaign files", kind, place, SUBMIT, files, {place: special})


WRONG_TEXTS = {
    "no equals sign": "learning.batch",
    "no key": "=3",
    "only dots": "...=3",
    "double dot": "learning..batch=3",
    "trailing dot": "learning.=3",
    "step through a number": "seed.a.b=3",
    "step through a text": "name.a=3",
    "step through a list": "targets.a.b=3",
    "place in a list": "targets.99.min=3",
    "negative place": "targets.-1.min=3",
    "foreign digits as place": "targets.\u0661.min=3",
    "superscript as place": "targets.\u00b2.min=3",
    "empty": "",
    "blank": "   ",
    "dunder": "__class__.__init__=3",
    "quote": "name='",
    "bracket": "targets=[",
    "deep brackets": "targets=" + "[" * 2000,
    "colon": "name=a: b: c",
    "tag": "name=!!python/object/apply:os.system ['true']",
    "impossible date": "name=2026-99-99",
    "anchor": "name=*a",
    "asterisk": "name=*",
    "per cent": "name=%TAG",
    "ampersand": "name=&",
    "question mark": "name=? a",
    "null byte": "name=a\0b",
    "two documents": "name=--- a\n--- b",
    "percentage": "learning.audit=10%",
    "exponent": "seed=1e5",
    "octal": "seed=0o17",
    "binary number": "seed=0b11",
    "underscores": "seed=1_000",
    "sexagesimal": "seed=1:30",
    "five thousand digits": "seed=" + "9" * 5000,
    "yes": "name=yes",
    "many keys": ".".join("a" * 1000) + "=1",
}
OPTIONS = ("--engine", "--seed", "--rounds", "--dataset")
OPTION_TEXTS = ("", " ", ":", "::", "mlip:", ":chgnet-screen-v1", "vasp:nope", "toy:toy-v1", "gpaw",
                "-1", "0", "1e3", "nan", "9" * 30, "18446744073709551616", "starter,prototypes",
                "../outside/secret.txt", "/", "/dev/null", ".", "~nobody/x", "\u0661", "a\0b",
                "[x]", "http://127.0.0.1:9/x.csv", "x" * 5000)  # fmt: skip


@st.composite
def set_texts(draw: Draw) -> Case:
    """`--set` and its relatives with any text, over a valid campaign."""
    name = draw(st.sampled_from(sorted(bases())))
    base = bases()[name]
    way = draw(st.sampled_from(("value", "value", "value", "number", "text", "free", "option")))
    if way == "text":
        kind = draw(st.sampled_from(sorted(WRONG_TEXTS)))
        damaged = mutations.Damaged(WRONG_TEXTS[kind], f"text: {kind}", "--set")
    elif way == "option":
        option, text = draw(st.sampled_from(OPTIONS)), draw(st.sampled_from(OPTION_TEXTS))
        damaged = mutations.Damaged(text, f"option {option}", f"{text!r:.40}")
        return _case("--set", damaged, _as_yaml(base), f"{option}={text}")
    elif way == "free":
        damaged = mutations.Damaged(draw(_free_texts()), "text: free", "--set")
    else:
        damaged = draw(_assignments(base, way))
    return _case("--set", damaged, _as_yaml(base), f"--set={damaged.content}")


@st.composite
def _assignments(draw: Draw, base: dict[str, Any], way: str) -> mutations.Damaged:
    """A field of the campaign and a value that it should not have."""
    place = mutations.named(draw(st.sampled_from(list(mutations.places(base)))))
    values = mutations.WRONG_NUMBERS if way == "number" else WRONG_VALUES
    kind = draw(st.sampled_from(sorted(values)))
    value = values[kind] if way == "number" else _inline(values[kind])
    return mutations.Damaged(f"{place}={value}", f"{way}: {kind}", place)


def _inline(value: Any) -> str:
    """A value as YAML of one line."""
    text = yaml.safe_dump(value, default_flow_style=True, width=10**9, allow_unicode=False)
    return text.removesuffix("\n").removesuffix("\n...")


@st.composite
def _free_texts(draw: Draw) -> str:
    key = draw(st.text(st.characters(exclude_categories=("Cs",)), max_size=12))
    value = draw(st.text(st.characters(exclude_categories=("Cs",)), max_size=20))
    return f"{key}={value}" if draw(st.booleans()) else f"learning.{key}={value}"

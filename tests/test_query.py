"""Conditions on hits mean what Python means by them, run nothing, and leave unknown values out."""

from __future__ import annotations

import random

import pytest
from example_campaign import CAMPAIGN_ID, HITS, add_chances, candidate_id, example_store

from gen2dft.errors import QueryError
from gen2dft.query import find_hits, names_in, parse_where
from gen2dft.store.store import Store


@pytest.fixture(scope="module")
def store() -> Store:
    return example_store()


def by_python(store: Store, text: str) -> list[str]:
    """What Python makes of a condition, hit by hit; test texts only."""
    code = compile(text, "<test>", "eval")
    rows = [
        (
            h.id,
            {
                **h.values,
                "formula": h.formula,
                "round": h.round_index + 1,
                "is_dft": h.is_dft,
                "spacegroup": h.spacegroup,
            },
        )
        for h in store.hits(CAMPAIGN_ID)
    ]
    return [key for key, names in rows if eval(code, {"__builtins__": {}}, names)]


def random_condition(rng: random.Random, values: list[tuple[str, float]], depth: int = 0) -> str:
    if depth < 3 and rng.random() < 0.6:
        left, right = (random_condition(rng, values, depth + 1) for _ in range(2))
        return rng.choice([f"({left} and {right})", f"({left} or {right})", f"not ({left})"])
    name, value = rng.choice(values)
    sign = rng.choice(["<", "<=", ">", ">=", "==", "!="])
    return rng.choice(
        [
            f"{name} {sign} {value!r}",
            f"{value!r} {sign} {name}",
            f"{value - 0.1!r} < {name} {sign} 2",
        ]
    )


def test_random_conditions_choose_what_python_chooses(store: Store) -> None:
    rng = random.Random(1)
    values = [
        (name, value) for hit in store.hits(CAMPAIGN_ID) for name, value in hit.values.items()
    ]
    sizes = set()
    for _ in range(200):
        text = random_condition(rng, values)
        found = [hit.id for hit in find_hits(store, text, CAMPAIGN_ID)]
        assert found == by_python(store, text), text
        sizes.add(len(found))
    assert sizes == set(range(len(HITS) + 1))


@pytest.mark.parametrize(
    "text",
    [
        "formula == 'KVSb'",
        "formula in ['KVSb', 'X']",
        "not formula in ('KVSb',)",
        "round == 2",
        "2 > round",
        "not is_dft",
        "is_dft == False",
        "spacegroup != 'Pm-3m' and 0.3 <= band_gap < 1.5",
    ],
)
def test_texts_rounds_and_flags(store: Store, text: str) -> None:
    assert [hit.id for hit in find_hits(store, text, CAMPAIGN_ID)] == by_python(store, text)


def test_the_raw_query_of_the_documentation_gives_the_same_rows(store: Store) -> None:
    text = "power_factor > 3 and e_above_hull < 0.02"
    raw = {
        "campaign_id": CAMPAIGN_ID,
        "values.power_factor": {"$gt": 3},
        "values.e_above_hull": {"$lt": 0.02},
    }
    rows = [data["_id"] for data in store.database.hits.find(raw).sort("_id", 1)]
    assert 0 < len(rows) < len(HITS)
    assert [hit.id for hit in find_hits(store, text, CAMPAIGN_ID)] == rows
    assert [
        data["_id"] for data in store.database.hits.find(parse_where(text)).sort("_id", 1)
    ] == rows


@pytest.mark.parametrize("text", ["band_gap > 0", "band_gap <= 0", "band_gap != 1", "not (band_gap "
                                                                                    "== 1)",
                                  "not band_gap in [1]", "not (0 < band_gap < 1)"])  # fmt: skip
def test_an_unknown_value_passes_nothing(text: str) -> None:
    store = example_store()
    open_hit = store.hits(CAMPAIGN_ID)[0]
    store.database.hits.update_one({"_id": open_hit.id}, {"$set": {"values.band_gap": None}})
    assert open_hit.id not in {hit.id for hit in find_hits(store, text, CAMPAIGN_ID)}


def test_names_are_those_of_the_text() -> None:
    assert names_in("band_gap > 1 and not is_dft") == {"band_gap", "is_dft"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("powerfactor > 5", r"'powerfactor' is not one of .*Did you mean 'power_factor'\?"),
        ("power_factor >", "is not understood: invalid syntax"),
        ("power_factor", "'power_factor' is no comparison"),
        ("band_gap + 1 > 2", "does not compare a property with a value"),
        ("band_gap > e_above_hull", "does not compare a property with a value"),
        ("band_gap is 1", "does not compare a property with a value"),
        ("1 < 2", "does not compare a property with a value"),
        ("__import__('os').system('x') > 1", "does not compare a property with a value"),
        ("band_gap > __import__('os')", "band_gap is compared with .*; give a number"),
        ("(lambda: 1)()", "is no comparison"),
        ("band_gap > 'large'", "band_gap is compared with .*; give a number"),
        ("band_gap > True", "give a number"),
        ("round > 1.5", "give a whole number"),
        ("is_dft == 1", "give True or False"),
        ("formula == -'x'", "give a text in quotes"),
        ("formula < 'S'", "formula has no order"),
        ("formula in 'SnO'", "give a list in brackets"),
        ("(" * 500 + "1" + ")" * 500, "is not understood"),
        ("band_gap > 1 or " * 300, "at most 2000 characters"),
        (
            "formation_energy < 0",
            "hits of campaign thermoelectric carry no formation_energy: .* they carry power_fa",
        ),
    ],
)
def test_what_is_not_a_condition_is_refused(store: Store, text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        find_hits(store, text, CAMPAIGN_ID)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("chance >= 0.3", {1, 2, 3}),
        ("not chance >= 0.3", {0}),
        ("0.2 < chance < 0.6", {1, 2}),
        ('evidence == "surrogate"', {1, 2, 3}),
        ('evidence != "surrogate"', {0}),
        ('evidence in ("dft", "mixed") or chance > 0.6', {0, 3}),
        ('not evidence == "dft" and chance < 0.4', {0, 1}),
    ],
)
def test_hits_are_found_by_chance_and_evidence(text: str, wanted: set[int]) -> None:
    store = example_store()
    add_chances(store)
    # As version 0.1.0 stored a hit whose gap DFT had computed.
    first = candidate_id(*HITS[0])
    basis = {"power_factor": "predicted", "e_above_hull": "mlip", "band_gap": "gpaw"}
    change = {"$unset": {"evidence": 1}, "$set": {"basis": basis}}
    store.database.hits.update_one({"candidate_id": first}, change)
    found = {hit.candidate_id for hit in find_hits(store, text, CAMPAIGN_ID)}
    assert found == {candidate_id(*HITS[row]) for row in wanted}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("not " * 400 + "is_dft", "nested deeper than 20 levels"),
        ("band_gap > " + "-" * 1500 + "1", "nested deeper than 20 levels|is not understood"),
        ("(" * 30 + "band_gap > 1" + ")" * 30 + " and x.y.z", "is no comparison"),
        ("band_gap > 1" + " or band_gap > 1" * 110, "at most 2000 characters, 20 levels and 100"),
        ("round == " + "9" * 30, "round_index is compared with '9{29}8'"),
        ("band_gap < 1e999", r"values\.band_gap is compared with inf"),
        ("formula == '\\x00'", "holds a character with number 0"),
        ("formula == '\\ud800'", "is not valid Unicode"),
        ("x" * 1990 + " >", "condition 'x{60}...' is not understood"),
    ],
)
def test_a_condition_is_bounded(store: Store, text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message) as error:
        find_hits(store, text, CAMPAIGN_ID)
    assert len(str(error.value)) < 500

"""Conditions on hits mean what Python means by them, run nothing, and leave unknown values out."""

from __future__ import annotations

import random

import pytest
from example_campaign import CAMPAIGN_ID, HITS, add_chances, candidate_id, example_store

from gen2dft.errors import QueryError
from gen2dft.query import Order, find_hits, in_order, names_in, parse_order, parse_where, query_hits
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


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("'Sb' in elements", {"elements": {"$eq": "Sb"}}),
        ("'Sb' not in elements", {"elements": {"$nin": ["Sb", None]}}),
        ("not 'Sb' in elements", {"elements": {"$nin": ["Sb", None]}}),
        ("not ('Sb' not in elements)", {"elements": {"$eq": "Sb"}}),
        ("chemsys == 'Zn-Rb-Sb'", {"chemsys": {"$eq": "Rb-Sb-Zn"}}),
        ("symmetry.number >= 195", {"symmetry.number": {"$gte": 195}}),
        ("195 <= symmetry.number", {"symmetry.number": {"$gte": 195}}),
        ("symmetry.crystal_system == 'cubic'", {"symmetry.crystal_system": {"$eq": "Cubic"}}),
        ("formula == 'SbZnRb'", {"formula": {"$in": ["RbZnSb", "SbZnRb"]}}),
        ("formula != 'RbZnSb'", {"formula": {"$nin": ["RbZnSb", None]}}),
        ("not formula == 'SbZnRb'", {"formula": {"$nin": ["RbZnSb", "SbZnRb", None]}}),
    ],
)
def test_conditions_on_composition_and_symmetry(text: str, wanted: dict[str, object]) -> None:
    assert parse_where(text) == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("'TE' in elements", r"element 'TE' is not one of the \d+ known\. Did you mean"),
        ("elements == 'Te'", "elements is a list; ask for one of them: '\"Te\" in elements'"),
        ("elements in ['Te']", "elements is a list"),
        ("'Te' in formula", "formula is no list"),
        ("5 in elements", "elements is compared with '5'; give a text in quotes"),
        ("chemsys == 'Zn-Xx'", "element 'Xx' is not one of"),
        ("symmetry.crystal_system == 'cubical'", "Did you mean 'Cubic'"),
        ("symmetry.numbr > 3", r"Did you mean 'symmetry\.number'"),
        ("symmetry.__class__ == 'x'", "'symmetry.__class__' is not one of"),
        ("elementz == 'Te'", "Did you mean 'elements'"),
    ],
)
def test_what_no_crystal_has_is_refused(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse_where(text)


def test_hits_are_found_by_their_elements(store: Store) -> None:
    everything = store.hits(CAMPAIGN_ID)
    symbol = everything[0].elements[0] if everything[0].elements else ""
    wanted = [hit.id for hit in everything if symbol in (hit.elements or ())]
    text = f"'{symbol}' in elements"
    assert len(wanted) > 0
    assert [hit.id for hit in find_hits(store, text, CAMPAIGN_ID)] == wanted
    others = [hit.id for hit in find_hits(store, f"not {text}", CAMPAIGN_ID)]
    assert sorted([*wanted, *others]) == [hit.id for hit in everything]


def test_a_list_that_is_not_known_passes_nothing() -> None:
    store = example_store()
    old = store.hits(CAMPAIGN_ID)[0].id
    store.database.hits.update_one({"_id": old}, {"$unset": {"elements": 1}})
    for text in ("'Sb' in elements", "'Sb' not in elements", "not 'Sb' in elements"):
        assert old not in {hit.id for hit in find_hits(store, text, CAMPAIGN_ID)}


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ('{"band_gap": 1}', r"its value is in 'values\.band_gap'"),
        ('{"elemnts": "Te"}', "Did you mean 'elements'"),
        ('{"$or": [{"formla": "SnO"}]}', "Did you mean 'formula'"),
        ('{"values.bandgap": 1}', r"Did you mean 'values\.band_gap'"),
        ('{"symmetry.num": 1}', r"Did you mean 'symmetry\.number'"),
        ('{"values.formation_energy": 1}', "is not one of"),
    ],
)
def test_a_field_that_no_hit_has_is_named(store: Store, query: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        query_hits(store, query, CAMPAIGN_ID)


@pytest.mark.parametrize(
    "query",
    ['{"_id": "x"}', '{"elements.0": "Te"}', '{"$or": [{"values.band_gap": {"$gt": 90}}]}',
     '{"stability.chance": {"$gt": 2}}', '{"structure.lattice.a": 1}', '{"round": 90}'],
)  # fmt: skip
def test_fields_that_exist_are_taken(store: Store, query: str) -> None:
    assert query_hits(store, query, CAMPAIGN_ID) == []


def test_hits_come_in_the_order_of_a_field(store: Store) -> None:
    hits = store.hits(CAMPAIGN_ID)
    hits[0].values["band_gap"] = None
    names = ("band_gap", "e_above_hull")
    down = in_order(hits, parse_order("band_gap:desc", names), {})
    gaps = [hit.values["band_gap"] for hit in down]
    assert gaps[:-1] == sorted((gap for gap in gaps[:-1] if gap is not None), reverse=True)
    assert down[-1] is hits[0]
    assert in_order(hits, parse_order("band_gap", names), {})[-1] is hits[0]
    by_source = in_order(hits, Order("source"), {hits[1].id: ("a",), hits[2].id: ("b",)})
    assert [hit.id for hit in by_source[:2]] == [hits[1].id, hits[2].id]


def test_chance_has_the_largest_first_unless_told_otherwise() -> None:
    assert parse_order("chance", ()) == Order("chance", down=True)
    assert parse_order("chance:asc", ()) == Order("chance", down=False)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("band_gab", "Did you mean 'band_gap'"),
        ("band_gap:down", "direction 'down' is not one of .'asc', 'desc'."),
        ("elements", "elements is a list, without an order; use chemsys"),
    ],
)
def test_an_order_that_hits_have_not_is_refused(text: str, message: str) -> None:
    with pytest.raises(QueryError, match=message):
        parse_order(text, ["band_gap"])

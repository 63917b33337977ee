"""What a prompt names: the expression or shape that an artist means, and nothing where colour is meant."""

from __future__ import annotations

import math

import pytest
import torch

from flow_core.editing.concepts import EXPRESSION, MEANINGS
from flow_core.editing.named import _relaxed, covariance, named
from flow_core.faces.landmarks import AT
from flow_core.faces.rig import load_rig
from flow_core.fields.muscles import MusclesField
from flow_core.guides.guide import Guide
from flow_core.guides.prompts import Prompt


def amounts(guide: Guide, text: str) -> dict[str, float]:
    return named(guide, Prompt.parse(text)).field.amounts[0]


@pytest.mark.parametrize(
    ("text", "muscle"),
    [
        ("a smiling face", "mouthSmileLeft"), ("happy", "mouthSmileRight"), ("very angry man", "browDownLeft"),
        ("a surprised face", "eyeWideLeft"), ("she is sad", "mouthFrownLeft"), ("sleepy", "eyeBlinkLeft"),
        ("a wide nose", "noseWider"), ("full lips", "lipsLowerFuller"), ("a long chin", "chinLonger"),
        ("an old man", "faceOlder"), ("raised eyebrows", "browOuterUpLeft"), ("a kiss", "mouthPucker"),
    ],
)  # fmt: skip
def test_names_the_muscle_that_is_meant(text: str, muscle: str, guide: Guide) -> None:
    assert amounts(guide, text)[muscle] > 0.2


@pytest.mark.parametrize(
    ("text", "muscle", "other"),
    [
        ("raise the left eyebrow", "browOuterUpLeft", "browOuterUpRight"), ("a wink with the right eye", "eyeBlinkRight", "eyeBlinkLeft"),
        ("look to the left", "eyeLookOutLeft", "eyeLookOutRight"), ("jaw to the right", "jawRight", "jawLeft"),
        ("抬起右眉", "browOuterUpRight", "browOuterUpLeft"),
    ],
)  # fmt: skip
def test_sides_are_the_persons_own(text: str, muscle: str, other: str, guide: Guide) -> None:
    found = amounts(guide, text)
    assert found[muscle] > 0.4
    assert abs(found.get(other, 0.0)) < 0.3 * found[muscle]


@pytest.mark.parametrize(
    ("text", "muscle"),
    [
        ("close the eyes", "eyeBlinkLeft"), ("puff the cheeks", "cheekPuff"), ("a wrinkled nose", "noseSneerLeft"), ("duck face", "mouthPucker"),
        ("stick out your tongue", "tongueOut"), ("微笑", "mouthSmileLeft"), ("闭上眼睛", "eyeBlinkRight"), ("大眼睛", "eyeLargerLeft"),
    ],
)  # fmt: skip
def test_names_single_muscles_in_both_languages(text: str, muscle: str, guide: Guide) -> None:
    assert amounts(guide, text)[muscle] > 0.4


def test_words_say_how_much(guide: Guide) -> None:
    slight, plain, very = (
        named(guide, Prompt.parse(t)).concepts["smile"] for t in ("slightly smiling", "smiling", "a very happy face")
    )
    assert slight < 0.8 * plain
    assert very > 1.15 * plain


def test_what_is_not_wanted_is_relaxed(guide: Guide) -> None:
    found = amounts(guide, "not smiling")
    assert found["relax mouthSmileLeft"] > 0.5
    assert found.get("mouthSmileLeft", 0.0) == 0.0
    assert amounts(guide, "no full lips")["lipsLowerFuller"] < 0


@pytest.mark.parametrize("text", ["tears of joy", "an angry smile", "a smile but sad"])
def test_a_troubled_smile_keeps_its_mouth_and_gives_its_brows_away(text: str, guide: Guide) -> None:
    found = amounts(guide, text)
    assert found["mouthSmileLeft"] > 0.6
    assert found["browTogetherLeft"] > 0.4
    assert "mouthFrownLeft" not in found


@pytest.mark.parametrize(
    ("text", "kept", "gone"),
    [
        ("smile but do not squint", "mouthSmileLeft", "eyeSquintLeft"),
        ("angry, with the mouth shut", "browDownLeft", "jawOpen"),
        ("angry, with the mouth shut", "browDownLeft", "mouthLowerDownLeft"),
    ],
)
def test_a_movement_that_is_turned_down_is_in_no_other_wish(text: str, kept: str, gone: str, guide: Guide) -> None:
    found = amounts(guide, text)
    assert found[kept] > 0.5
    assert found.get(gone, 0.0) < 0.05


@pytest.mark.parametrize(
    ("text", "jaw"), [("gritted teeth", 0.0), ("laughing with bared teeth", 0.3), ("mouth open, showing teeth", 0.4)]
)
def test_teeth_that_are_bared_shut_a_jaw_that_nobody_asks_to_open(text: str, jaw: float, guide: Guide) -> None:
    found = amounts(guide, text)
    assert found["relax jawOpen"] > 0.9
    assert found.get("jawOpen", 0.0) >= jaw
    assert found["mouthLowerDownLeft"] > 0.5


def test_puffed_cheeks_swell_on_both_sides_of_a_turned_head_behind_lips_that_shut(guide: Guide) -> None:
    found, rig = amounts(guide, "puffed cheeks"), load_rig()
    assert found["relax jawOpen"] > 0.9
    x, y, z = rig.neutral.T
    cheeks = ((y - rig.landmarks(rig.neutral)[AT[13], 1]).abs() < 2) & (z > z.max() - 12)  # at the height of the mouth
    moved = rig.moved(*rig.split({n: v for n, v in found.items() if not n.startswith("relax")}))
    turned = moved[:, 0] * math.cos(0.3) + moved[:, 2] * math.sin(0.3)
    far, near = (side * turned[cheeks & (side * x > 3.5)].mean() for side in (-1, 1))
    assert far > 0.5 * near > 0.2


def test_a_little_smile_takes_little_of_a_sad_mouth(guide: Guide) -> None:
    sad, both = amounts(guide, "a sad face"), amounts(guide, "a sad face | a smile:0.2")
    assert 0.7 * sad["mouthFrownLeft"] < both["mouthFrownLeft"] < sad["mouthFrownLeft"]


@pytest.mark.parametrize("text", ["a slight smile", "a closed-mouth smile", "a smile:0.4"])
def test_a_small_smile_and_a_closed_one_show_no_teeth(text: str, guide: Guide) -> None:
    found = amounts(guide, text)
    assert found["mouthSmileLeft"] > 0.2
    assert max(found.get(n, 0.0) for n in ("mouthUpperUpLeft", "mouthLowerDownLeft", "jawOpen")) < 0.05
    assert amounts(guide, "a smile")["mouthUpperUpLeft"] > 0.5


def test_a_fake_smile_spares_the_eyes(guide: Guide) -> None:
    real, fake = amounts(guide, "a smile"), amounts(guide, "a fake smile")
    assert fake["mouthSmileLeft"] > 0.9 * real["mouthSmileLeft"]
    assert fake["cheekSquintLeft"] < 0.6 * real["cheekSquintLeft"]


def test_several_wishes_add_up(guide: Guide) -> None:
    found = amounts(guide, "a smiling face with closed eyes and a big nose")
    assert min(found["mouthSmileLeft"], found["eyeBlinkLeft"], found["noseFuller"]) > 0.2


def test_what_two_wishes_move_moves_once(guide: Guide) -> None:
    surprised, both = amounts(guide, "surprised"), amounts(guide, "surprised, open mouth")
    assert both["jawOpen"] == pytest.approx(surprised["jawOpen"], rel=0.1)
    assert amounts(guide, "a smile:0.5 | a smile:0.5")["mouthSmileLeft"] == pytest.approx(
        amounts(guide, "a smile")["mouthSmileLeft"]
    )


@pytest.mark.parametrize("text", ["red lips", "blond hair", "a tanned face", "blue eyes"])
def test_colours_name_no_muscle(text: str, guide: Guide) -> None:
    found = named(guide, Prompt.parse(text))
    assert not found.field.coefficients().any()
    assert (found.expression, found.shape) == (0.0, 0.0)


def test_weights_say_how_much(guide: Guide) -> None:
    whole, half = amounts(guide, "a smiling face"), amounts(guide, "a smiling face:0.5")
    assert half["mouthSmileLeft"] == pytest.approx(whole["mouthSmileLeft"] / 2)
    assert amounts(guide, "thin lips")["lipsUpperFuller"] < 0


def test_the_metric_lets_only_what_is_asked_move() -> None:
    count = len(load_rig().unit_names)
    expression, shape = covariance(1.0, 0.0), covariance(0.0, 1.0)
    assert expression[:count, :count].any()
    assert not expression[count:].any()
    assert shape[count:, count:].any()
    assert not shape[:count].any()
    assert torch.allclose(expression, expression.T, atol=1e-6)
    smile = MusclesField.of({"mouthSmile": 1.0}).units[0]
    moved = expression[:count, :count] @ smile
    names = load_rig().unit_names
    assert moved[names.index("mouthSmileLeft")] == pytest.approx(moved[names.index("mouthSmileRight")].item(), abs=1e-5)
    assert moved[names.index("mouthSmileLeft")] > moved[names.index("browInnerUp")]


def test_every_concept_can_be_taken_away() -> None:
    """Some have a shape that helps the muscles, which is not there to be relaxed."""
    for name, meaning in MEANINGS.items():
        if meaning.kind == EXPRESSION:
            taken = MusclesField.of(_relaxed(meaning.amounts))
            assert not taken.units.any(), name
            assert not taken.controls.any(), name


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("a smile that reaches the eyes", {"smile": 1.0, "cheeks raised": 0.9, "squint": 0.6}),
        ("Mona Lisa's smile", {"smile": 0.5, "mouth closed": 0.45}),
        ("less angry", {"anger": -0.5}),
        ("a shy schoolboy", {"smile": 0.55, "young": 0.5, "look down": 0.45, "cheeks rosy": 0.4}),
        ("restrained anger", {"anger": 0.5}),
        ("smile, twintails, arms up", {"smile": 1.0}),
        ("an evil grin", {"smile": 0.9, "smirk": 0.6, "frown": 0.9}),
        ("邪恶的笑", {"smirk": 1.0, "frown": 0.8}),
    ],
)
def test_shades_are_mixtures(guide: Guide, text: str, amounts: dict[str, float]) -> None:
    found = named(guide, Prompt.parse(text)).concepts
    assert found == pytest.approx(amounts, abs=0.16)

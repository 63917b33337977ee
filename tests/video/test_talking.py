"""Speech in clips goes on where an edit makes another expression."""

from __future__ import annotations

import math

import torch

from flow_core.faces.rig import load_rig
from flow_core.fields.expressions import neutral, preset
from flow_core.fields.muscles import MusclesField
from flow_core.video.talking import Speech, talking

JAW = load_rig().unit_names.index("jawOpen")


def talks(jaw: list[float], fps: float = 30.0) -> float:
    """How far a face with these openings, frame after frame, talks in the last one."""
    speech = Speech()
    units = torch.zeros(1, len(load_rig().unit_names))
    for opened in jaw:
        units[0, JAW] = opened
        much = speech.follow(units, 1 / fps)
    return much


def test_syllables_are_speech_and_a_grin_is_none() -> None:
    syllables = [0.15 + 0.1 * math.sin(2 * math.pi * 4 * i / 30) for i in range(60)]
    assert talks(syllables) > 0.9
    for still in (0.05, 0.25):  # the mouth rests shut, or open: for a moment, and for long
        assert talks([*syllables, *[still] * 4]) > 0.9
        assert talks([*syllables, *[still] * 45]) == 0
    assert talks([0.0] * 10 + [0.25] * 60) == 0
    assert talks([0.1] * 10 + [0.12, 0.1] * 20) == 0


def test_a_sad_face_goes_on_talking_and_a_closed_mouth_closes() -> None:
    sad = preset("sadness")
    assert talking(sad, 1.0).relax[0, JAW] == 0
    assert talking(sad, 0.0) is sad
    assert torch.equal(talking(sad, 1.0).units, sad.units)
    for field in (neutral(), MusclesField.of({"relax jawOpen": 1.0}), preset("eyes closed")):
        assert talking(field, 1.0) is field

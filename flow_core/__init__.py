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

__version__ = "0.1.0"

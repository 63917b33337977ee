"""FaceFlow for ComfyUI: edit faces from text by moving pixels along a flow field."""

WEB_DIRECTORY = "./web"


async def comfy_entrypoint():
    # imported late: without ComfyUI, as in the tests of the library, there is no comfy_api
    from .nodes import FaceFlowExtension

    return FaceFlowExtension()


__all__ = ["WEB_DIRECTORY", "comfy_entrypoint"]

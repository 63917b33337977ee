"""``faceflow live --window``: the picture in a window of OpenCV or tkinter."""

from __future__ import annotations

from PIL import Image

from ..video.clips import ClipError
from .live import Live


def show_window(show: Live) -> None:
    """Show the pictures in a window until it is closed.

    Raises:
        ClipError: neither OpenCV nor tkinter can open one.
    """
    try:
        import cv2

        for picture in show.pictures():
            cv2.imshow("FaceFlow", picture.numpy()[..., ::-1])
            cv2.setWindowTitle("FaceFlow", f"FaceFlow, {show.fps:.0f} frames/s")
            if cv2.waitKey(1) in (27, ord("q")) or cv2.getWindowProperty("FaceFlow", cv2.WND_PROP_VISIBLE) < 1:
                break
        cv2.destroyAllWindows()
        return
    except ImportError:
        pass
    except Exception as e:  # cv2.error: built without windows, or no display
        raise ClipError(f"OpenCV cannot open a window ({e}); leave out --window and open the page.") from e
    try:
        import tkinter

        from PIL import ImageTk

        root = tkinter.Tk()
    except Exception as e:  # ImportError, TclError without a display
        raise ClipError(
            f"No window can be opened ({e}); leave out --window and open the page, or install opencv-python."
        ) from e
    label = tkinter.Label(root)
    label.pack()
    pictures = show.pictures()

    def update() -> None:
        picture = next(pictures, None)
        if picture is None:
            root.destroy()
            return
        label.image = ImageTk.PhotoImage(Image.fromarray(picture.numpy()))
        label.configure(image=label.image)
        root.title(f"FaceFlow, {show.fps:.0f} frames/s")
        root.after(1, update)

    update()
    root.mainloop()

"""What happens to files: bits flip, pieces go missing or come twice, the end is cut off, other bytes are written in."""

from __future__ import annotations

from hypothesis import strategies as st

__all__ = ["damaged"]


@st.composite
def damaged(draw: st.DrawFn, content: bytes, most: int = 4) -> bytes:
    """The content after one to `most` accidents."""
    held = bytearray(content)
    for _ in range(draw(st.integers(1, most))):
        if not held:
            return b""
        at = draw(st.integers(0, len(held) - 1))
        length = draw(st.integers(1, 40))
        match draw(st.sampled_from(("flip", "cut", "drop", "twice", "write"))):
            case "flip":
                held[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del held[at:]
            case "drop":
                del held[at : at + length]
            case "twice":
                held[at:at] = held[at : at + length]
            case "write":
                held[at : at + length] = draw(st.binary(max_size=length))
    return bytes(held)

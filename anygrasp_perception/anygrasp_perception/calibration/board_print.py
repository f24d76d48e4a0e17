# SPDX-License-Identifier: Apache-2.0
"""A board as a file to print at its true size: PDF in vectors, or PNG with its resolution."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

from anygrasp_perception.arrays import Float64Array, Uint8Array
from anygrasp_perception.atomic_files import write_atomically
from anygrasp_perception.calibration.board import Board, BoardConfig, BoardKind

__all__ = ["black_rectangles_m", "draw_board", "save_board"]

_MARGIN_MM = 10.0  # white around the board, without which its edge is not seen
_FOOT_MM = 12.0  # for the text and the ruler
_RULER_MM = 100.0
_PAPERS_MM = {"A4": (297.0, 210.0), "A3": (420.0, 297.0), "A2": (594.0, 420.0), "A1": (841.0, 594.0)}
_MM = 72.0 / 25.4  # points a millimetre
_PX_PER_MM = 24.0  # 610 dpi


def black_rectangles_m(config: BoardConfig) -> Float64Array:
    """Return all that is black as rectangles (K, 4) x, y, width, height in the board frame, metres."""
    board, found = Board(config).opencv, []
    if config.kind is BoardKind.CHARUCO:
        found += [
            (column * config.square_m, row * config.square_m, config.square_m, config.square_m)
            for row in range(config.rows)
            for column in range(config.columns)
            if (row + column) % 2 == 0
        ]
    bits = board.getDictionary().markerSize + 2
    cell = config.marker_m / bits
    for marker, corners in zip(np.asarray(board.getIds()).ravel(), board.getObjPoints(), strict=True):
        image = cv2.aruco.generateImageMarker(board.getDictionary(), int(marker), bits)
        x, y = np.asarray(corners)[0, :2]
        for row, column in np.argwhere(image == 0):
            found.append((x + column * cell, y + row * cell, cell, cell))
    return np.array(found)


def draw_board(config: BoardConfig, px_per_mm: float, margin_mm: float) -> Uint8Array:
    """Return the board as an image (H, W), black 0 and white 255, with a white margin."""
    width, height = (np.ceil((side * 1e3 + 2 * margin_mm) * px_per_mm).astype(int) for side in config.size_m)
    image = np.full((height, width), 255, np.uint8)
    scaled = black_rectangles_m(config) * 1e3 * px_per_mm
    scaled[:, :2] += margin_mm * px_per_mm
    for x, y, w, h in scaled:
        image[round(y) : round(y + h), round(x) : round(x + w)] = 0
    return image


def save_board(config: BoardConfig, path: Path) -> str:
    """Write the board; return what to do with the file.

    Raises:
        ValueError: another ending than .pdf or .png, or no paper is large enough.
        OSError: the file cannot be written.
    """
    if path.suffix.lower() == ".png":
        write_atomically(path, _png(draw_board(config, _PX_PER_MM, _MARGIN_MM)))
        return f"print {path} at {_PX_PER_MM * 25.4:.0f} dpi, and measure a square with a ruler: " + _size(
            config
        )
    if path.suffix.lower() != ".pdf":
        raise ValueError(f"{path} must end in .pdf or .png")
    paper = _paper(config)
    write_atomically(path, _pdf(config, _PAPERS_MM[paper]))
    return (
        f"print {path} on {paper} at 100 % (no 'fit to page'), glue it on something flat, and measure the "
        f"{_RULER_MM:.0f} mm line under it: " + _size(config)
    )


def _size(config: BoardConfig) -> str:
    return f"a square has {config.square_m * 1e3:g} mm; if yours differ, give their true size with --square"


def _paper(config: BoardConfig) -> str:
    width, height = (1e3 * side for side in config.size_m)
    for name, (w, h) in _PAPERS_MM.items():
        if width + 2 * _MARGIN_MM <= w and height + _MARGIN_MM + _FOOT_MM <= h:
            return name
    raise ValueError(
        f"the board of {width:.0f} x {height:.0f} mm fits on no paper up to A1; use fewer squares"
    )


def _png(image: Uint8Array) -> bytes:
    written, encoded = cv2.imencode(".png", image)
    if not written:
        raise ValueError(f"OpenCV cannot write a PNG of {image.shape[1]}x{image.shape[0]}")
    content = encoded.tobytes()
    per_metre = round(_PX_PER_MM * 1000)
    chunk = b"pHYs" + struct.pack(">IIB", per_metre, per_metre, 1)
    after_header = 8 + 25  # signature, and the header chunk with its length, name and checksum
    sized = struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return content[:after_header] + sized + content[after_header:]


def _pdf(config: BoardConfig, paper_mm: tuple[float, float]) -> bytes:
    """One page with the board centred, a line of text and a ruler; y goes up in a PDF."""
    paper_w, paper_h = paper_mm
    width, height = (1e3 * side for side in config.size_m)
    left, top = (paper_w - width) / 2, paper_h - max(_MARGIN_MM, (paper_h - _FOOT_MM - height) / 2)
    drawing = ["0 g"]
    for x, y, w, h in black_rectangles_m(config) * 1e3:
        corner = ((left + x) * _MM, (top - y - h) * _MM, w * _MM, h * _MM)
        drawing.append("{:.4f} {:.4f} {:.4f} {:.4f} re".format(*corner))
    drawing.append("f")
    y = 6.0 * _MM
    drawing.append(f"0.5 w {left * _MM:.3f} {y:.3f} m {(left + _RULER_MM) * _MM:.3f} {y:.3f} l S")
    text = f"{config.describe()}   this line: {_RULER_MM:.0f} mm"
    drawing.append(f"BT /F1 8 Tf {left * _MM:.3f} {y + 3:.3f} Td ({text}) Tj ET")
    stream = "\n".join(drawing).encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {paper_w * _MM:.3f} {paper_h * _MM:.3f}] "
        "/Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>".encode(),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    content, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(content))
        content += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    return (
        content
        + b"xref\n0 %d\n0000000000 65535 f \n" % size
        + table
        + b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(content))
    )

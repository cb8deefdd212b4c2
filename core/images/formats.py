"""Which files are opened as drawings."""

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "DIB", "WEBP", "TIFF", "AVIF", "JPEG2000", "QOI", "PPM")
"""What Pillow is allowed to open. Left out are those that start programs (EPS) or have no signature (TGA)."""
# fmt: off
EXTENSIONS = frozenset({
    ".png", ".apng", ".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".webp", ".bmp", ".dib", ".gif", ".tif", ".tiff",
    ".avif", ".jp2", ".j2k", ".jpf", ".jpx", ".qoi", ".ppm", ".pgm", ".pbm", ".pnm",
})
"""Endings, in lower case, of files that are opened as drawings."""
UNREADABLE = frozenset({
    ".psd", ".psb", ".clip", ".lip", ".sut", ".kra", ".krz", ".ora", ".xcf", ".sai", ".sai2", ".mdp",
    ".procreate", ".afphoto", ".afdesign", ".ai", ".cdr", ".cpt", ".svg", ".svgz", ".eps", ".ps", ".pdf",
    ".heic", ".heif", ".hif", ".jxl", ".tga", ".ico", ".exr", ".hdr", ".dng", ".cr2", ".cr3", ".nef", ".arw",
    ".raf", ".rw2", ".orf",
})
"""Endings of files that hold drawings and that we cannot open: said, never passed over."""
# fmt: on

"""The report of a run: one self-contained HTML file.

`run` asks a worker for what the report shows, `sections` writes each part of it, `charts` draws its curves as SVG, `page` puts the parts into a
document with its style, and `markup` makes elements whose text is escaped.
"""

"""How the tagger in the box is made from nothing: `python -m core.taggers.mini.making --out FOLDER`.

The open emoji art is rasterised (`pictures`) and gets its tags (`vocabulary`, `colours`), every picture is varied
anew each time it is seen (`variations`), the network learns (`network`, `learning`), the scale of its scores is set
(`calibration`), and what came of it is measured (`measure`) and written as a WD tagger (`export`). Its honest
figures: `../README.md`.
"""

"""How the base in the box is made from nothing: `python -m core.bases.mini.making --out FOLDER`.

Art is fetched and rasterised (`art`, `drawings`), words become tokens and captions (`words`), the autoencoder and
the drawer learn one after the other (`autoencoder`, `drawer`, both paced by `pace`), and what came of it is put
together, saved and looked at (`assemble`, `sheet`). The recipe's reasons and its honest figures: `../README.md`.
"""

"""Decks from elsewhere as deck files: `llmdrills import`. Anki's packages, tables and Markdown are read here.

What a file says becomes Markdown that is believed only where its rendering shows the same. Everything that is not
taken, or not taken whole, is said with its place and the reason.
"""

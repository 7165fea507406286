"""What Anki holds of our notes: read from a copy of a collection, from a package, or from a running Anki.

Nothing here writes to a collection: only Anki does, asked by AnkiConnect to import a package.
"""

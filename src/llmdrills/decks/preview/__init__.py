"""The cards as Anki shows them, in a browser, before anything is imported."""

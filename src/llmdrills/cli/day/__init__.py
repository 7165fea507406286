"""The daily loop on a terminal: keys, the editor, saves, and one kata after another."""

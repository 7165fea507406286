"""Katas in a notebook: `%load_ext llmdrills` gives `%kata`, `%%kata`, `%kata_hint` and `%kata_rate`.

A front end beside the terminal: the states of a repetition, the ratings and the history are the same.
"""

"""The exam on a terminal: questions, katas without help, a design question, and one report at the end."""

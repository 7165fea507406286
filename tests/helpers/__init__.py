"""What several test files share: small decks and katas, learners, a terminal, the exploit suite."""

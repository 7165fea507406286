"""Everything that a checkout is tested with. Test files import `tests.helpers`; nothing else is imported from here."""

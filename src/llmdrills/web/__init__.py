"""A page for the day: a server on the loopback that shows in a browser what the daily loop shows on a terminal.

It works over the states of `practice/`, as the terminal does, and may run beside it: the history is the same. Nothing
here needs a terminal, or a POSIX system.

What is not covered: a file that another editor writes in the very moment between the look at its stamp and its
replacement (well under a millisecond) is replaced; and whoever can read the memory or the files of this user can read
the cookie.
"""

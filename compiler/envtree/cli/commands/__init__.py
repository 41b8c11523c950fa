"""The implementations of the commands; each is imported only when its command runs, so it may import the compiler."""

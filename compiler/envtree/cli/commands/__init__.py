"""What the commands do; a module here may import all of the compiler, for it is imported when its command runs."""

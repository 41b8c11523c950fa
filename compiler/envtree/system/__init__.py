"""The machine: disk, processes, git, signals, console streams and archives; its errors are raised as `MachineError`."""

"""What should be and what is, brought together: `plan` says what differs, `apply` makes it so, `drift` says why."""

"""Run the stages of the compiler in order, project by project, with caches: a `Request` in, a `RunOutcome` out."""

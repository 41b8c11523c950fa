"""Frozen data that the stages exchange, from sources to artifacts; imports nothing else of envtree."""

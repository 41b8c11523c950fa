"""Render findings and answers as text for people, and as documents and pages in other formats."""

"""Findings and answers in; text, documents and pages out."""

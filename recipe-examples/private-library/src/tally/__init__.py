"""Counts the words of texts."""

from collections import Counter

from tally._count import words

__all__ = ["count", "words"]


def count(text):
    """How often each word occurs in a text, lower-cased."""
    return Counter(word.lower() for word in words(text))

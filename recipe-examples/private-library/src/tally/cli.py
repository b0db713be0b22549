"""tally [FILE]: the commonest words of a file, or of standard input."""

import sys

from tally import count


def rows(text, most):
    return count(text).most_common(most)


def render(found):
    """A table where tabulate is there (extra `table`), else plain lines."""
    try:
        from tabulate import tabulate
    except ImportError:
        return "\n".join(f"{number}\t{word}" for word, number in found)
    return tabulate(found, headers=["word", "count"])


def main():
    if len(sys.argv) > 1:
        with open(sys.argv[1], encoding="utf-8") as file:
            text = file.read()
    else:
        text = sys.stdin.read()
    print(render(rows(text, 10)))

import io
import sys

import pytest

import tally
from tally import cli


def test_words_are_runs_of_letters_and_digits():
    assert tally.words("Ein Rad, zwei Räder; 3 Naben") == ["Ein", "Rad", "zwei", "Räder", "3", "Naben"]
    assert tally.words("") == []


def test_only_texts_have_words():
    with pytest.raises(TypeError):
        tally.words(b"bytes")


def test_words_are_counted_whatever_their_case():
    assert tally.count("Rad rad RAD Nabe") == {"rad": 3, "nabe": 1}


def test_the_command_prints_a_table(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["tally"])
    monkeypatch.setattr(sys, "stdin", io.StringIO("rad rad nabe"))
    cli.main()
    assert capsys.readouterr().out.splitlines()[0].split() == ["word", "count"]

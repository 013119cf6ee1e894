# The runs of tshark that tests of every capture share: what has the same arguments is run once.
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The tables of connections ride along, without a tree with the columns, and in two passes with the tree.
import json

TWO_PASSES = "-2"
TABLE = ("-z", "zmtp,connections,json")
BOTH_TABLES = (*TABLE, "-z", "zmtp,connections")


def one_pass(tshark, sample):
    return tshark.packets(sample.capture, *sample.arguments, keys=sample.opened_by)


def two_passes(tshark, sample):
    return tshark.packets(sample.capture, TWO_PASSES, *TABLE, *sample.arguments, keys=sample.opened_by)


def columns(tshark, sample):
    return tshark.columns(sample.capture, *BOTH_TABLES, *sample.arguments, keys=sample.opened_by)


def one_pass_without_keys(tshark, sample):
    return tshark.packets(sample.capture, *sample.arguments)


def columns_without_keys(tshark, sample):
    return tshark.columns(sample.capture, *TABLE, *sample.arguments)


def text_of_one_pass(tshark, sample):
    """Columns and tables."""
    return tshark.text_of_columns(sample.capture, *BOTH_TABLES, *sample.arguments, keys=sample.opened_by)


def text_of_two_passes(tshark, sample):
    return tshark.text_of_packets(sample.capture, TWO_PASSES, *TABLE, *sample.arguments, keys=sample.opened_by)


def rows(tshark, sample):
    """The connections of the table, made in one pass and without a tree."""
    return connections(text_of_one_pass(tshark, sample))


def rows_without_keys(tshark, sample):
    return connections(tshark.text_of_columns(sample.capture, *TABLE, *sample.arguments))


def rows_of_two_passes(tshark, sample):
    return connections(text_of_two_passes(tshark, sample))


def json_lines(text):
    """What stands behind the packets, if there are any."""
    return [line for line in text[text.rfind("</p") + 1:].splitlines() if line.startswith("{")]


def table(text):
    """The table for people."""
    return "".join(f"{line}\n" for line in text[text.index("\n====="):].splitlines() if not line.startswith("{"))


def connections(text):
    """The JSON lines without the totals."""
    return [row for row in map(json.loads, json_lines(text)) if row["type"] in ("connection", "tcp")]

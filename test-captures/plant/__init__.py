# Real captures with one thing altered, to see that zmtp-verify finds it.
# SPDX-License-Identifier: GPL-2.0-or-later
"""To add one: a Plant in one of the plants_*.py, for instance

    Plant("pong-echo", "null-heartbeat", lambda talk: talk.command(DOWN, "PONG").add(b"other"))

is the rule that is to be tripped, the capture that is altered, and the change: here the listener's first PONG says
more than its PING. talk.py has what can be found and changed. `python3 -m plant FOLDER pong-echo` in test-captures
writes the altered capture, with the keys that open it beside it.
"""

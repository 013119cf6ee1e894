# The parts of zmtp-verify: tshark.py runs tshark, conversation.py makes a list of what was said of its output,
# rules*.py say what the RFCs want of that, known.py which libraries are known to differ, expectation.py compares it
# with what was accepted before, check.py does all this for one capture, report.py tells it, jobs.py spreads the work.
# SPDX-License-Identifier: GPL-2.0-or-later

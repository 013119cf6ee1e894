# The parts of zmtp-verify: tshark.py runs tshark, conversation.py makes its output a list of what was said, rules*.py say
# what the RFCs want of that, known.py which libraries are known to differ, expectation.py compares it with what was
# accepted before, results.py and report.py tell it, jobs.py spreads the work.
# SPDX-License-Identifier: GPL-2.0-or-later

# Real captures with one thing altered, to see that zmtp-verify finds it.
# SPDX-License-Identifier: GPL-2.0-or-later

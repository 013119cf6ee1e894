/*
 * cmocka wants these headers before its own.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef ZMTP_TESTS_CMOCKA_SETUP_H
#define ZMTP_TESTS_CMOCKA_SETUP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif

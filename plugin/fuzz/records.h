/* records.h - the fuzzer's input: options, then records.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef FUZZ_RECORDS_H
#define FUZZ_RECORDS_H

#include <stdbool.h>
#include <stdint.h>

/* The first octet; the second one says which keys of the peers are given. */
enum option {
    TREE = 3, /* enum tree of capture.h */
    SECOND_PASS = 4,
    DECODE_AS = 8,
    OUT_OF_ORDER = 16,
    NO_REASSEMBLY = 32,
    DRAW = 64,    /* the tables at the end */
    AS_TEXT = 128 /* keys come in blocks of the capture; where Wireshark cannot, in a key log */
};

/* make_seeds.py writes these numbers, too. */
enum operation {
    OCTETS, /* data: what is sent */
    FRAME,  /* flags, body */
    COMMAND,
    GREETING,
    OPEN,
    SHAKE_HANDS, /* TCP's and CURVE's, whole */
    STEP,        /* which command of CURVE, metadata */
    BOX,         /* plaintext of a MESSAGE */
    SIZE,        /* of segments from here on */
    FATE,        /* of the next segment */
    SEGMENT,     /* TCP flags, 2 octets: how far its sequence number is off, data */
    RESTART,
    TIME,
    KEY_LOG,     /* text of a key log, which appears before the next packet */
    KEY_ROW,     /* type, public key, blank, secret key: of the key table; or see key_files.c */
    CERTIFICATE, /* a file's content; or see there */
};

struct record {
    enum operation operation;
    unsigned from;
    unsigned connection;
    const uint8_t *data;
    unsigned len;
};

struct records {
    const uint8_t *data;
    unsigned left;
};

/* 0 when there is none. */
uint8_t next_octet(struct records *records);
/* False at the end. A record that is cut short is what there is of it. */
bool next_record(struct records *records, struct record *record);

#endif

/* records.c - reads the fuzzer's input.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "records.h"

uint8_t next_octet(struct records *records)
{
    if (records->left == 0)
        return 0;
    records->left--;
    return *records->data++;
}

bool next_record(struct records *records, struct record *record)
{
    unsigned first;

    if (records->left == 0)
        return false;
    first = next_octet(records);
    record->operation = (enum operation)(first & 15);
    record->from = first >> 4 & 1;
    record->connection = first >> 5 & 3;
    record->len = (unsigned)next_octet(records) << 8;
    record->len |= next_octet(records);
    if (record->len > records->left)
        record->len = records->left;
    record->data = records->data;
    records->data += record->len;
    records->left -= record->len;
    return true;
}

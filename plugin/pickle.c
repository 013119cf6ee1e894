/* pickle.c - whether a payload is a Python pickle of protocol 2 to 5.
 *
 * A pickle is a program for a small stack machine.  The first instructions are followed, so many at
 * most: random octets do not keep to the rules of the stack for long, nor do their lengths fit.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "zmtp.h"

#define PROTO 0x80
#define FRAME 0x95
#define STOP '.'
#define HEADER_LEN 2 /* PROTO, version */
#define FRAME_LEN 9  /* FRAME, 8 octets of length, little end first */
#define MIN_LEN 5    /* shorter ones say nothing, and numbers look like them */
#define MIN_FRAMED 4 /* octets behind the header from which on Python makes a frame */
#define FRAMED 4     /* version from which on all but large objects are in frames */
#define LARGE_OBJECT 65536
#define MAX_INSTRUCTIONS 64
#define MAX_LINE 256

/* How an argument ends. */
enum argument {
    NO_SUCH, /* not an instruction */
    FIXED,   /* `size` octets */
    COUNTED, /* a length of `size` octets, and so many */
    LINES    /* `size` lines of text */
};

/* What it does to the stack. */
struct instruction {
    uint8_t argument; /* enum argument */
    uint8_t size;
    uint8_t takes;
    uint8_t gives;
    bool to_mark; /* takes all down to the last mark as well */
    bool stores;  /* in the memo */
    bool fetches; /* from there */
};

static const struct instruction instructions[256] = {
    ['('] = {FIXED, 0, 0, 0, false, false, false}, /* MARK: see below */
    ['I'] = {LINES, 1, 0, 1, false, false, false},
    ['J'] = {FIXED, 4, 0, 1, false, false, false},
    ['K'] = {FIXED, 1, 0, 1, false, false, false},
    ['M'] = {FIXED, 2, 0, 1, false, false, false},
    ['L'] = {LINES, 1, 0, 1, false, false, false},
    [0x8a] = {COUNTED, 1, 0, 1, false, false, false},
    [0x8b] = {COUNTED, 4, 0, 1, false, false, false},
    ['S'] = {LINES, 1, 0, 1, false, false, false},
    ['T'] = {COUNTED, 4, 0, 1, false, false, false},
    ['U'] = {COUNTED, 1, 0, 1, false, false, false},
    ['B'] = {COUNTED, 4, 0, 1, false, false, false},
    ['C'] = {COUNTED, 1, 0, 1, false, false, false},
    [0x8e] = {COUNTED, 8, 0, 1, false, false, false},
    [0x96] = {COUNTED, 8, 0, 1, false, false, false},
    [0x97] = {FIXED, 0, 0, 1, false, false, false},
    [0x98] = {FIXED, 0, 1, 1, false, false, false},
    ['N'] = {FIXED, 0, 0, 1, false, false, false},
    [0x88] = {FIXED, 0, 0, 1, false, false, false},
    [0x89] = {FIXED, 0, 0, 1, false, false, false},
    ['V'] = {LINES, 1, 0, 1, false, false, false},
    [0x8c] = {COUNTED, 1, 0, 1, false, false, false},
    ['X'] = {COUNTED, 4, 0, 1, false, false, false},
    [0x8d] = {COUNTED, 8, 0, 1, false, false, false},
    ['F'] = {LINES, 1, 0, 1, false, false, false},
    ['G'] = {FIXED, 8, 0, 1, false, false, false},
    [']'] = {FIXED, 0, 0, 1, false, false, false},
    ['a'] = {FIXED, 0, 2, 1, false, false, false},
    ['e'] = {FIXED, 0, 1, 1, true, false, false},
    ['l'] = {FIXED, 0, 0, 1, true, false, false},
    [')'] = {FIXED, 0, 0, 1, false, false, false},
    ['t'] = {FIXED, 0, 0, 1, true, false, false},
    [0x85] = {FIXED, 0, 1, 1, false, false, false},
    [0x86] = {FIXED, 0, 2, 1, false, false, false},
    [0x87] = {FIXED, 0, 3, 1, false, false, false},
    ['}'] = {FIXED, 0, 0, 1, false, false, false},
    ['d'] = {FIXED, 0, 0, 1, true, false, false},
    ['s'] = {FIXED, 0, 3, 1, false, false, false},
    ['u'] = {FIXED, 0, 1, 1, true, false, false},
    [0x8f] = {FIXED, 0, 0, 1, false, false, false},
    [0x90] = {FIXED, 0, 1, 1, true, false, false},
    [0x91] = {FIXED, 0, 0, 1, true, false, false},
    ['0'] = {FIXED, 0, 1, 0, false, false, false},
    ['2'] = {FIXED, 0, 1, 2, false, false, false},
    ['1'] = {FIXED, 0, 0, 0, true, false, false},
    ['g'] = {LINES, 1, 0, 1, false, false, true},
    ['h'] = {FIXED, 1, 0, 1, false, false, true},
    ['j'] = {FIXED, 4, 0, 1, false, false, true},
    ['p'] = {LINES, 1, 1, 1, false, true, false},
    ['q'] = {FIXED, 1, 1, 1, false, true, false},
    ['r'] = {FIXED, 4, 1, 1, false, true, false},
    [0x94] = {FIXED, 0, 1, 1, false, true, false},
    [0x82] = {FIXED, 1, 0, 1, false, false, false},
    ['c'] = {LINES, 2, 0, 1, false, false, false},
    [0x93] = {FIXED, 0, 2, 1, false, false, false},
    ['R'] = {FIXED, 0, 2, 1, false, false, false},
    ['b'] = {FIXED, 0, 2, 1, false, false, false},
    ['i'] = {LINES, 2, 0, 1, true, false, false},
    ['o'] = {FIXED, 0, 0, 1, true, false, false},
    [0x81] = {FIXED, 0, 2, 1, false, false, false},
    [0x92] = {FIXED, 0, 3, 1, false, false, false},
    [FRAME] = {FIXED, 8, 0, 0, false, false, false},
    ['P'] = {LINES, 1, 0, 1, false, false, false},
    ['Q'] = {FIXED, 0, 1, 1, false, false, false},
};

static uint64_t little_endian(const uint8_t *octets, unsigned size)
{
    uint64_t value = 0;

    while (size-- > 0)
        value = value << 8 | octets[size];
    return value;
}

/* The length of an instruction's argument; more than `left`: it does not fit. */
static uint64_t argument_len(const struct instruction *instruction, const uint8_t *octets,
                             unsigned left)
{
    uint64_t counted;
    unsigned len = 0;

    switch ((enum argument)instruction->argument) {
    case FIXED:
        return instruction->size;
    case COUNTED:
        if (instruction->size > left)
            return (uint64_t)left + 1;
        counted = little_endian(octets, instruction->size);
        return counted > left ? (uint64_t)left + 1 : counted + instruction->size;
    default: /* LINES */
        for (unsigned line = 0; line < instruction->size; line++) {
            const uint8_t *end =
                (const uint8_t *)memchr(octets + len, '\n', MIN(left - len, MAX_LINE));

            if (!end)
                return (uint64_t)left + 1;
            len = (unsigned)(end - octets) + 1;
        }
        return len;
    }
}

/* Follows the first instructions from `at` on, which end with STOP in the last octet. */
static bool is_program(const uint8_t *octets, unsigned at, unsigned len, bool framed)
{
    unsigned marks[MAX_INSTRUCTIONS];
    unsigned mark_count = 0;
    unsigned depth = 0;
    bool stored = false;
    bool in_frame = !framed;

    for (unsigned count = 0; count < MAX_INSTRUCTIONS; count++) {
        const struct instruction *instruction = &instructions[octets[at]];
        uint64_t argument;

        if (octets[at] == STOP)
            return at == len - 1 && depth == 1 && mark_count == 0 && in_frame;
        if (instruction->argument == NO_SUCH || (instruction->fetches && !stored))
            return false;
        stored |= instruction->stores;
        in_frame |= octets[at] == FRAME;
        argument = argument_len(instruction, octets + at + 1, len - at - 1);
        if (argument >= len - at - 1) /* STOP is still to come */
            return false;
        if (octets[at] == FRAME &&
            little_endian(octets + at + 1, FRAME_LEN - 1) > len - at - FRAME_LEN)
            return false;
        in_frame |= argument >= LARGE_OBJECT; /* it ends the frame; a small one is not kept */
        if (octets[at] == '(')
            marks[mark_count++] = depth;
        else if (instruction->to_mark) {
            if (mark_count == 0)
                return false;
            depth = marks[--mark_count];
        }
        if (depth < instruction->takes + (mark_count ? marks[mark_count - 1] : 0))
            return false;
        depth = depth - instruction->takes + instruction->gives;
        at += 1 + (unsigned)argument;
    }
    return in_frame;
}

bool zmtp_is_pickle(tvbuff_t *payload)
{
    unsigned len = tvb_reported_length(payload);
    const uint8_t *octets;
    unsigned version;

    if (len < MIN_LEN || tvb_captured_length(payload) < len || tvb_get_uint8(payload, 0) != PROTO ||
        tvb_get_uint8(payload, (int)len - 1) != STOP)
        return false;
    octets = tvb_get_ptr(payload, 0, (int)len);
    version = octets[1];
    if (version < 2 || version > 5)
        return false;
    return is_program(octets, HEADER_LEN, len, version >= FRAMED && len - HEADER_LEN >= MIN_FRAMED);
}

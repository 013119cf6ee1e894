/* findings_page.c - prints MESSAGES.md, which explains every finding, from the same table that the
 * plugin uses.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <stdio.h>
#include <string.h>

static const struct {
    const char *section; /* begins here; the rest is NULL then */
    const char *name;
    const char *severity;
    const char *text;
    const char *advice;
    const char *cause;
} rows[] = {
#define SECTION(title) {.section = (title)},
#define FINDING(symbol, filter, group, level, what, next, why)                                     \
    {.name = (filter), .severity = #level, .text = (what), .advice = (next), .cause = (why)},
#include "findings.def"
};

/* "WARN" as Wireshark shows it. */
static const char *severity_name(const char *level)
{
    return *level == 'W' ? "warning" : *level == 'E' ? "error" : *level == 'N' ? "note" : "chat";
}

static const char *full_stop(const char *sentence)
{
    char last = sentence[strlen(sentence) - 1];

    return last == '.' || last == '?' ? "" : ".";
}

int main(void)
{
    puts("# What the messages mean\n\n"
         "<!-- Made by findings_page from findings.def; a test compares them. -->\n\n"
         "Every finding of the plugin: an expert item in the tree, with its filter name (`-Y "
         "zmtp.gap`); those of the\nfirst section are also the sentences of `tshark -q -z "
         "zmtp,connections`. *Warnings* and *errors* want somebody's attention, a\n*note* is worth "
         "knowing, a *chat* is no fault of the traffic.");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].section)
            printf("\n## %s\n", rows[i].section);
        else
            printf("\n### %s\n\n`%s`, %s\n\n* **Cause:** %s%s\n* **What to do:** %s%s\n",
                   rows[i].text, rows[i].name, severity_name(rows[i].severity), rows[i].cause,
                   full_stop(rows[i].cause), rows[i].advice, full_stop(rows[i].advice));
    }
    return 0;
}

/*
 * Tests of certificates. Those in certificates/ were written by CZMQ 4.2.1 and pyzmq 24.0.1.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cmocka_setup.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decrypt/certificate.h"
#include "decrypt/keyring.h"

/* The two pairs of zmq_curve(7). */
#define PUBLIC "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"
#define SECRET "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs"
#define OTHER_PUBLIC "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"
#define OTHER_SECRET "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"
#define ZEROS "0000000000000000000000000000000000000000"
#define TOO_SHORT "ne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID"

/* A pair that CZMQ made; it has `#` in both keys, as one of three keys has. */
#define HASH_PUBLIC "HG?+tg799?P8xc#1Y9PG7-=@f}yU30}]wc^iH5IN"
#define HASH_SECRET ">yaee.GhP)8xcrwn?*7$99#tr{8$XSo/c@Zfg+S3"

static struct zmtp_certificate certificate;
static struct zmtp_certificate_problem problem;

/* In memory of just its size, so that ASan sees a step beyond the end. */
static enum zmtp_certificate_status read_octets(const char *text, size_t len)
{
    char *copy = malloc(len + 1);
    char *octets = copy + 1;
    enum zmtp_certificate_status status;

    assert_non_null(copy);
    memcpy(octets, text, len);
    memset(&certificate, 0xa5, sizeof certificate);
    memset(&problem, 0, sizeof problem);
    status = zmtp_certificate_from_zpl(octets, len, &certificate, &problem);
    free(copy);
    return status;
}

static enum zmtp_certificate_status read_zpl(const char *text)
{
    return read_octets(text, strlen(text));
}

static enum zmtp_certificate_status read_file(const char *name)
{
    char path[512];
    char text[2048];

    (void)snprintf(path, sizeof path, "%s/certificates/%s", TESTS_FOLDER, name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t len = fread(text, 1, sizeof text, file);
    assert_int_equal(fclose(file), 0);
    assert_true(len > 0 && len < sizeof text);
    return read_octets(text, len);
}

static void assert_key(const uint8_t key[ZMTP_KEY_SIZE], const char *expected)
{
    char text[ZMTP_KEY_Z85_LENGTH + 1];

    zmtp_key_to_z85(key, text);
    assert_string_equal(text, expected);
}

/* `secret` NULL: none. */
static void assert_good(enum zmtp_certificate_status status, const char *public_key,
                        const char *secret)
{
    assert_string_equal(problem.text, "");
    assert_int_equal(status, ZMTP_CERTIFICATE_OK);
    assert_true(certificate.has_public);
    assert_key(certificate.public_key, public_key);
    assert_int_equal(certificate.has_secret, secret != NULL);
    assert_key(certificate.secret_key, secret ? secret : ZEROS);
}

static void assert_nothing_given(void)
{
    assert_false(certificate.has_public);
    assert_false(certificate.has_secret);
    assert_key(certificate.public_key, ZEROS);
    assert_key(certificate.secret_key, ZEROS);
}

static void assert_none(enum zmtp_certificate_status status)
{
    assert_string_equal(problem.text, "");
    assert_int_equal(status, ZMTP_CERTIFICATE_NONE);
    assert_nothing_given();
}

static void assert_bad(enum zmtp_certificate_status status, const char *expected)
{
    assert_string_equal(problem.text, expected);
    assert_int_equal(status, ZMTP_CERTIFICATE_BAD);
    assert_nothing_given();
}

/* ---- Good ones --------------------------------------------------------------------------- */

static void certificates_of_czmq_are_read(void **state)
{
    (void)state;
    assert_good(read_file("czmq.cert"), HASH_PUBLIC, NULL);
    assert_good(read_file("czmq.cert_secret"), HASH_PUBLIC, HASH_SECRET);
}

static void a_secret_that_czmq_wrote_as_zeros_is_not_there(void **state)
{
    (void)state;
    assert_good(read_file("czmq-without-secret.cert_secret"), HASH_PUBLIC, NULL);
}

static void certificates_of_pyzmq_are_read(void **state)
{
    static const char public_key[] = "i!W(X-7@&{>7i)1SQCyUrG3+Oh8lU=?Qr%7KOLCt";

    (void)state;
    assert_good(read_file("pyzmq.key"), public_key, NULL);
    assert_good(read_file("pyzmq.key_secret"), public_key,
                "f:ZdEbE.jR-&zh8@:>-?SB:(m}g.DNC-aVYRmP#H");
}

static void quotes_blanks_and_comments_are_as_people_like_them(void **state)
{
    static const char *const texts[] = {
        "curve\n    public-key = \"" HASH_PUBLIC "\"\n    secret-key = \"" HASH_SECRET "\"\n",
        "curve\n    public-key = '" HASH_PUBLIC "'\n    secret-key = '" HASH_SECRET "'",
        "curve\n    public-key = " HASH_PUBLIC "\n    secret-key = " HASH_SECRET,
        "curve\r\n    public-key = \"" HASH_PUBLIC "\"\r\n    secret-key = " HASH_SECRET "\r\n",
        "\xef\xbb\xbf"
        "curve\n  secret-key=" HASH_SECRET "\n  public-key=" HASH_PUBLIC "\n",
        "curve\n\tpublic-key\t=\t" HASH_PUBLIC "\t# mine\n    secret-key = '" HASH_SECRET "'#yes\n",
        "# public-key = x\n\ncurve # keys\n    # secret-key = x\n\n public-key = " HASH_PUBLIC
        " \n secret-key = " HASH_SECRET "\n\n",
        "a line that is no ZPL\n\n= \"\ncurve =\n    public-key = " HASH_PUBLIC "\n    ?\n"
        "    secret-key = " HASH_SECRET "\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_good(read_zpl(texts[i]), HASH_PUBLIC, HASH_SECRET);
    }
}

static void hexadecimal_keys_are_read(void **state)
{
    uint8_t key[ZMTP_KEY_SIZE];
    char hex[ZMTP_KEY_HEX_LENGTH + 1];
    char text[128];

    (void)state;
    assert_int_equal(zmtp_key_from_text(SECRET, ZMTP_KEY_Z85_LENGTH, key), ZMTP_KEYTEXT_OK);
    zmtp_key_to_hex(key, hex);
    (void)snprintf(text, sizeof text, "curve\n    secret-key = \"%s\"\n", hex);
    assert_good(read_zpl(text), PUBLIC, SECRET);
}

static void the_public_key_of_a_secret_key_alone_is_derived(void **state)
{
    (void)state;
    assert_good(read_zpl("curve\n    secret-key = \"" SECRET "\"\n"), PUBLIC, SECRET);
    assert_good(
        read_zpl("curve\n    public-key = \"" ZEROS "\"\n    secret-key = \"" SECRET "\"\n"),
        PUBLIC, SECRET);
}

static void the_same_key_twice_is_fine(void **state)
{
    (void)state;
    assert_good(read_zpl("curve\n    public-key = \"" PUBLIC "\"\n    public-key = " PUBLIC "\n"
                         "    public-key = " ZEROS "\n"),
                PUBLIC, NULL);
}

/* ---- What is no key of the section `curve` ----------------------------------------------- */

static void keys_count_only_in_the_section_curve(void **state)
{
    static const char *const texts[] = {
        "",
        "\n",
        "\xef\xbb\xbf",
        "public-key = \"" PUBLIC "\"\n",
        "metadata\n    public-key = \"" PUBLIC "\"\n",
        "curve\nmetadata\n    public-key = \"" PUBLIC "\"\n",
        "curves\n    public-key = \"" PUBLIC "\"\n",
        "Curve\n    public-key = \"" PUBLIC "\"\n",
        "metadata\n    curve\n        public-key = \"" PUBLIC "\"\n",
        "curve\n    old\n        public-key = \"" PUBLIC "\"\n",
        "curve\n    public-key-old = \"" PUBLIC "\"\n    public = \"" PUBLIC "\"\n",
        "# curve\n    public-key = \"" PUBLIC "\"\n",
        "curve\n    # public-key = \"" PUBLIC "\"\n",
        "curve\n    public-key = \"" ZEROS "\"\n    secret-key = \"" ZEROS "\"\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_none(read_zpl(texts[i]));
    }
}

static void metadata_that_looks_like_keys_is_passed_over(void **state)
{
    (void)state;
    assert_good(read_zpl("metadata\n    public-key = nonsense\n    curve = \"\n"
                         "        secret-key = 1\n"
                         "curve\n    public-key = \"" PUBLIC "\"\n        secret-key = 2\n"
                         "other\n    secret-key = 3\n"),
                PUBLIC, NULL);
}

/* ---- Bad ones ---------------------------------------------------------------------------- */

static void a_bad_key_is_named_with_its_line(void **state)
{
    (void)state;
    assert_bad(read_zpl("curve\n    public-key = \"" TOO_SHORT "\"\n"),
               "line 2: public key: 39 characters: a Z85 key has 40, a hex key 64");
    assert_bad(read_zpl("# one\r\n# two\r\ncurve\r\n    secret-key = 1" SECRET "\r\n"),
               "line 4: secret key: 41 characters: a Z85 key has 40, a hex key 64");
    assert_bad(read_zpl("curve\n    public-key = \"~" TOO_SHORT "\"\n"),
               "line 2: public key: a character that is not in the Z85 alphabet");
    assert_bad(read_zpl("curve\n    public-key = \"#####" OTHER_PUBLIC "\"\n"),
               "line 2: public key: 45 characters: a Z85 key has 40, a hex key 64");
    assert_bad(read_zpl("curve\n    secret-key = \"########################################\"\n"),
               "line 2: secret key: not Z85: a group of 5 characters exceeds 32 bits");
    assert_bad(read_zpl("curve\n    secret-key = \"\"\n"),
               "line 2: secret key: 0 characters: a Z85 key has 40, a hex key 64");
    assert_bad(read_zpl("curve\n    secret-key =\n"),
               "line 2: secret key: 0 characters: a Z85 key has 40, a hex key 64");
    /* A good public key does not make up for it. */
    assert_bad(read_zpl("curve\n    public-key = " PUBLIC "\n    secret-key = D\n"),
               "line 3: secret key: 1 character: a Z85 key has 40, a hex key 64");
}

static void a_bad_line_is_named_with_its_place(void **state)
{
    (void)state;
    assert_bad(read_zpl("curve\n    public-key \"" PUBLIC "\"\n"),
               "line 2: public key: needs a `=`");
    assert_bad(read_zpl("curve\n    public-key\n"), "line 2: public key: needs a `=`");
    assert_bad(read_zpl("curve\n    public-key = \"" PUBLIC "\n    name = \"x\"\n"),
               "line 2: public key: needs a closing quote");
    assert_bad(read_zpl("curve\n    public-key = \"" PUBLIC "'\n"),
               "line 2: public key: needs a closing quote");
    assert_bad(read_zpl("curve\n    public-key = '"), "line 2: public key: needs a closing quote");
    assert_bad(read_zpl("curve\n    public-key = \"" PUBLIC "\"x\n"),
               "line 2: public key: more follows behind it");
    assert_bad(read_zpl("curve\n    public-key = " PUBLIC " " PUBLIC "\n"),
               "line 2: public key: more follows behind it");
}

static void a_pair_that_does_not_belong_together_is_bad(void **state)
{
    (void)state;
    assert_bad(read_zpl("curve\n    public-key = " PUBLIC "\n    secret-key = " OTHER_SECRET "\n"),
               "line 3: the secret key does not belong to the public key");
    assert_bad(read_zpl("curve\n    secret-key = " SECRET "\n    public-key = " OTHER_PUBLIC "\n"),
               "line 2: the secret key does not belong to the public key");
}

static void two_different_keys_of_a_kind_are_bad(void **state)
{
    (void)state;
    assert_bad(
        read_zpl("curve\n    public-key = " PUBLIC "\n\n    public-key = " OTHER_PUBLIC "\n"),
        "line 4: public key: not the same as in line 2");
    assert_bad(read_zpl("curve\n    secret-key = " SECRET
                        "\nx\ncurve\n    secret-key = " OTHER_SECRET "\n"),
               "line 5: secret key: not the same as in line 2");
}

static void nul_octets_are_octets_like_others(void **state)
{
    static const char cut_short[] = "curve\n    public-key = \"" PUBLIC "\0\"\n";
    static const char behind[] = "\0\ncurve\n    public-key = \"" PUBLIC "\"\n\0";

    (void)state;
    assert_bad(read_octets(cut_short, sizeof cut_short - 1),
               "line 2: public key: 41 characters: a Z85 key has 40, a hex key 64");
    assert_good(read_octets(behind, sizeof behind - 1), PUBLIC, NULL);
}

static void every_beginning_of_a_certificate_is_judged_in_bounds(void **state)
{
    static const char text[] =
        "curve\r\n\tpublic-key = \"" PUBLIC "\" # c\r\n\tsecret-key = '" SECRET "'\r\n";
    size_t good = 0;

    (void)state;
    for (size_t len = 0; len < sizeof text; len++) {
        if (read_octets(text, len) == ZMTP_CERTIFICATE_OK) {
            good++;
        } else {
            assert_nothing_given();
        }
    }
    /* From the public key's closing quote to the secret key's `y`, and from its closing quote on.
     */
    assert_int_equal(good, strlen("\" # c\r\n\tsecret-key") + strlen("'\r\n") - 1);
}

/* A file of some megabytes is read in one go; were it not linear, this would take hours. */
static void a_huge_text_is_read_in_linear_time(void **state)
{
    enum { SIZE = 4 * 1024 * 1024 };
    static const char *const fillers[] = {
        "\n", " ", "curve\n public-key-", "curve\n x = '", "=", "curve\n public-key = \"",
        "\t", "#"};
    char *text = malloc(SIZE);

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < sizeof fillers / sizeof *fillers; i++) {
        size_t filler_len = strlen(fillers[i]);

        for (size_t at = 0; at < SIZE; at++) {
            text[at] = fillers[i][at % filler_len];
        }
        assert_int_not_equal(read_octets(text, SIZE), ZMTP_CERTIFICATE_OK);
    }
    free(text);
}

/* ---- Keys as two strings ----------------------------------------------------------------- */

static enum zmtp_certificate_status read_keys(const char *public_text, const char *secret_text)
{
    memset(&certificate, 0xa5, sizeof certificate);
    memset(&problem, 0, sizeof problem);
    return zmtp_certificate_from_keys(public_text, secret_text, &certificate, &problem);
}

static void two_keys_as_text_are_a_certificate(void **state)
{
    (void)state;
    assert_good(read_keys(PUBLIC, SECRET), PUBLIC, SECRET);
    assert_good(read_keys(PUBLIC, NULL), PUBLIC, NULL);
    assert_good(read_keys(NULL, SECRET), PUBLIC, SECRET);
    assert_good(read_keys(PUBLIC, ZEROS), PUBLIC, NULL);
    assert_none(read_keys(NULL, NULL));
    assert_none(read_keys(ZEROS, NULL));
}

static void bad_keys_as_text_are_named_without_a_line(void **state)
{
    (void)state;
    assert_bad(read_keys(TOO_SHORT, SECRET),
               "public key: 39 characters: a Z85 key has 40, a hex key 64");
    assert_bad(read_keys(PUBLIC, ""), "secret key: 0 characters: a Z85 key has 40, a hex key 64");
    assert_bad(read_keys(PUBLIC, OTHER_SECRET), "the secret key does not belong to the public key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates_of_czmq_are_read),
        cmocka_unit_test(a_secret_that_czmq_wrote_as_zeros_is_not_there),
        cmocka_unit_test(certificates_of_pyzmq_are_read),
        cmocka_unit_test(quotes_blanks_and_comments_are_as_people_like_them),
        cmocka_unit_test(hexadecimal_keys_are_read),
        cmocka_unit_test(the_public_key_of_a_secret_key_alone_is_derived),
        cmocka_unit_test(the_same_key_twice_is_fine),
        cmocka_unit_test(keys_count_only_in_the_section_curve),
        cmocka_unit_test(metadata_that_looks_like_keys_is_passed_over),
        cmocka_unit_test(a_bad_key_is_named_with_its_line),
        cmocka_unit_test(a_bad_line_is_named_with_its_place),
        cmocka_unit_test(a_pair_that_does_not_belong_together_is_bad),
        cmocka_unit_test(two_different_keys_of_a_kind_are_bad),
        cmocka_unit_test(nul_octets_are_octets_like_others),
        cmocka_unit_test(every_beginning_of_a_certificate_is_judged_in_bounds),
        cmocka_unit_test(a_huge_text_is_read_in_linear_time),
        cmocka_unit_test(two_keys_as_text_are_a_certificate),
        cmocka_unit_test(bad_keys_as_text_are_named_without_a_line),
    };

    return zmtp_crypto_init() ? cmocka_run_group_tests(tests, NULL, NULL) : 1;
}

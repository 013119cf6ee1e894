/*
 * Tests of keys as text.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "cmocka_setup.h"

#include <stdbool.h>
#include <string.h>

#include "decrypt/keytext.h"

/* The key pair of the client in libzmq's zmq_curve(7), in both notations. */
static const char doc_z85[] = "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID";
static const char doc_hex[] = "bb88471d65e2659b30c55a5321cebb5aab2b70a398645c26dca2b2fcb43fc518";
static const char doc_secret_z85[] = "D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs";
static const char doc_secret_hex[] =
    "7bb864b489afa3671fbe69101f94b38972f24816dfb01b51656b3fec8dfd0888";

static enum zmtp_keytext_status read_key(const char *text, uint8_t key[ZMTP_KEY_SIZE])
{
    return zmtp_key_from_text(text, strlen(text), key);
}

static void hex_and_z85_are_the_same_key(void **state)
{
    uint8_t from_hex[ZMTP_KEY_SIZE];
    uint8_t from_z85[ZMTP_KEY_SIZE];

    (void)state;
    assert_int_equal(read_key(doc_hex, from_hex), ZMTP_KEYTEXT_OK);
    assert_int_equal(read_key(doc_z85, from_z85), ZMTP_KEYTEXT_OK);
    assert_memory_equal(from_hex, from_z85, ZMTP_KEY_SIZE);
    assert_int_equal(read_key(doc_secret_hex, from_hex), ZMTP_KEYTEXT_OK);
    assert_int_equal(read_key(doc_secret_z85, from_z85), ZMTP_KEYTEXT_OK);
    assert_memory_equal(from_hex, from_z85, ZMTP_KEY_SIZE);
}

static void upper_case_hex_is_accepted(void **state)
{
    uint8_t lower[ZMTP_KEY_SIZE];
    uint8_t upper[ZMTP_KEY_SIZE];

    (void)state;
    assert_int_equal(read_key(doc_hex, lower), ZMTP_KEYTEXT_OK);
    assert_int_equal(
        read_key("BB88471D65E2659B30C55A5321CEBB5AAB2B70A398645C26DCA2B2FCB43FC518", upper),
        ZMTP_KEYTEXT_OK);
    assert_memory_equal(lower, upper, ZMTP_KEY_SIZE);
}

/* RFC 32, "Test Case": 86 4F D2 6F B5 59 F7 5B is HelloWorld. */
static void the_test_case_of_rfc_32_decodes(void **state)
{
    static const uint8_t hello_world[] = {0x86, 0x4f, 0xd2, 0x6f, 0xb5, 0x59, 0xf7, 0x5b};
    uint8_t key[ZMTP_KEY_SIZE];

    (void)state;
    assert_int_equal(read_key("HelloWorldHelloWorldHelloWorldHelloWorld", key), ZMTP_KEYTEXT_OK);
    for (size_t i = 0; i < ZMTP_KEY_SIZE; i += sizeof hello_world) {
        assert_memory_equal(key + i, hello_world, sizeof hello_world);
    }
}

static void the_largest_z85_group_is_accepted(void **state)
{
    uint8_t key[ZMTP_KEY_SIZE];
    uint8_t ones[ZMTP_KEY_SIZE];

    (void)state;
    memset(ones, 0xff, sizeof ones);
    assert_int_equal(read_key("%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0%nSc0", key), ZMTP_KEYTEXT_OK);
    assert_memory_equal(key, ones, sizeof ones);
}

static void a_z85_group_beyond_32_bits_is_refused(void **state)
{
    uint8_t key[ZMTP_KEY_SIZE];

    (void)state;
    assert_int_equal(read_key("00000000000000000000000000000000000%nSc1", key),
                     ZMTP_KEYTEXT_GROUP_OVERFLOW);
    assert_int_equal(read_key("########################################", key),
                     ZMTP_KEYTEXT_GROUP_OVERFLOW);
}

static void other_lengths_are_refused(void **state)
{
    static const size_t lengths[] = {0, 1, 32, 39, 41, 63, 65, 128};
    char text[129];
    uint8_t key[ZMTP_KEY_SIZE];

    (void)state;
    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        assert_int_equal(zmtp_key_from_text(text, lengths[i], key), ZMTP_KEYTEXT_WRONG_LENGTH);
    }
}

static void every_character_outside_the_alphabet_is_refused(void **state)
{
    static const char z85[] = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                              ".-:+=^!/*?&<>()[]{}@%$#";
    char text[ZMTP_KEY_HEX_LENGTH];
    uint8_t key[ZMTP_KEY_SIZE];

    (void)state;
    for (int c = 0; c < 256; c++) {
        bool is_hex = c && strchr("0123456789abcdefABCDEF", c);
        bool is_z85 = c && strchr(z85, c);

        for (size_t place = 0; place < sizeof text; place += 21) {
            memset(text, '0', sizeof text);
            text[place] = (char)c;
            assert_int_equal(zmtp_key_from_text(text, ZMTP_KEY_HEX_LENGTH, key),
                             is_hex ? ZMTP_KEYTEXT_OK : ZMTP_KEYTEXT_BAD_CHARACTER);
        }
        memset(text, '0', sizeof text);
        text[ZMTP_KEY_Z85_LENGTH - 1] = (char)c;
        assert_int_equal(zmtp_key_from_text(text, ZMTP_KEY_Z85_LENGTH, key),
                         is_z85 ? ZMTP_KEYTEXT_OK : ZMTP_KEYTEXT_BAD_CHARACTER);
    }
}

static void a_refused_text_leaves_no_half_of_a_key(void **state)
{
    static const uint8_t zeros[ZMTP_KEY_SIZE];
    uint8_t key[ZMTP_KEY_SIZE];
    char text[sizeof doc_hex];

    (void)state;
    memcpy(text, doc_hex, sizeof doc_hex);
    text[ZMTP_KEY_HEX_LENGTH - 1] = 'g';
    memset(key, 1, sizeof key);
    assert_int_equal(read_key(text, key), ZMTP_KEYTEXT_BAD_CHARACTER);
    assert_memory_equal(key, zeros, sizeof zeros);
}

static void keys_are_written_as_they_were_read(void **state)
{
    uint8_t key[ZMTP_KEY_SIZE];
    char z85[ZMTP_KEY_Z85_LENGTH + 1];
    char hex[ZMTP_KEY_HEX_LENGTH + 1];

    (void)state;
    assert_int_equal(read_key(doc_z85, key), ZMTP_KEYTEXT_OK);
    zmtp_key_to_z85(key, z85);
    zmtp_key_to_hex(key, hex);
    assert_string_equal(z85, doc_z85);
    assert_string_equal(hex, doc_hex);
}

static void the_explanations_say_what_is_wrong(void **state)
{
    char why[64];
    char small[10];

    (void)state;
    assert_string_equal(zmtp_keytext_explain(ZMTP_KEYTEXT_WRONG_LENGTH, 39, why, sizeof why),
                        "39 characters: a Z85 key has 40, a hex key 64");
    assert_string_equal(zmtp_keytext_explain(ZMTP_KEYTEXT_WRONG_LENGTH, 1, why, sizeof why),
                        "1 character: a Z85 key has 40, a hex key 64");
    assert_string_equal(zmtp_keytext_explain(ZMTP_KEYTEXT_BAD_CHARACTER, 64, why, sizeof why),
                        "a character that is not a hexadecimal digit");
    assert_string_equal(zmtp_keytext_explain(ZMTP_KEYTEXT_BAD_CHARACTER, 40, why, sizeof why),
                        "a character that is not in the Z85 alphabet");
    assert_string_equal(zmtp_keytext_explain(ZMTP_KEYTEXT_GROUP_OVERFLOW, 40, why, sizeof why),
                        "not Z85: a group of 5 characters exceeds 32 bits");
    assert_string_equal(zmtp_keytext_explain(ZMTP_KEYTEXT_WRONG_LENGTH, 39, small, sizeof small),
                        "39 charac");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_and_z85_are_the_same_key),
        cmocka_unit_test(upper_case_hex_is_accepted),
        cmocka_unit_test(the_test_case_of_rfc_32_decodes),
        cmocka_unit_test(the_largest_z85_group_is_accepted),
        cmocka_unit_test(a_z85_group_beyond_32_bits_is_refused),
        cmocka_unit_test(other_lengths_are_refused),
        cmocka_unit_test(every_character_outside_the_alphabet_is_refused),
        cmocka_unit_test(a_refused_text_leaves_no_half_of_a_key),
        cmocka_unit_test(keys_are_written_as_they_were_read),
        cmocka_unit_test(the_explanations_say_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}

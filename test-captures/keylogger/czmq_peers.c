/* A program for the tests of libzmtpkeylog.so: both peers of a CURVE connection, made with CZMQ.
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include <czmq.h>

int main(void)
{
    zcert_t *server_keys = zcert_new();
    zcert_t *client_keys = zcert_new();
    zsock_t *server = zsock_new(ZMQ_PULL);
    zsock_t *client = zsock_new(ZMQ_PUSH);

    zcert_apply(server_keys, server);
    zsock_set_curve_server(server, 1);
    zsock_set_rcvtimeo(server, 20000);
    zcert_apply(client_keys, client);
    zsock_set_curve_serverkey(client, zcert_public_txt(server_keys));
    int port = zsock_bind(server, "tcp://127.0.0.1:*");
    int result = zsock_connect(client, "tcp://127.0.0.1:%d", port) | zstr_send(client, "hello");
    char *received = zstr_recv(server);
    if (received == NULL || strcmp(received, "hello") != 0) {
        result = 1;
    }
    zstr_free(&received);
    zsock_destroy(&client);
    zsock_destroy(&server);
    zcert_destroy(&client_keys);
    zcert_destroy(&server_keys);
    return result != 0;
}

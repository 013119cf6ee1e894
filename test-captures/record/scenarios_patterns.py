# Scenarios: each socket pattern between two ordinary libzmq peers, for every mechanism.
# SPDX-License-Identifier: GPL-2.0-or-later

import zmq

from harness import Failed, family, text


def exchange(run, rep, req, stream, question, answer):
    run.carry(req, rep, question, stream.up, delimiter=True)
    run.carry(rep, req, answer, stream.down, delimiter=True)


@family("REQ asks REP three times, then says goodbye.", mechanisms="null plain curve gssapi",
        every_version="null plain curve", transient_keys="curve")
def req_rep(run):
    rep, req, stream = run.pair(zmq.REP, zmq.REQ)
    for number in (1, 2, 3):
        exchange(run, rep, req, stream, [b"question %d" % number], [b"answer %d" % number])


def publish(run, pub, wanted, messages):
    """Publish all; wanted is a list of (socket, its frames' log, the topics it asked for)."""
    for message in messages:
        pub.send_multipart(message)
        for sub, log, topics in wanted:
            if any(message[0].startswith(topic) for topic in topics):
                run.expect(sub, message)
                log.extend(message)


@family("PUB with two subscribers, several topics, one subscription cancelled later.",
        every_version="null plain curve")
def pub_sub(run):
    pub = run.listen(zmq.PUB)
    one, two = run.connect(zmq.SUB), run.connect(zmq.SUB)
    logs = [run.stream().down, run.stream().down]
    for topic in (b"weather.", b"news.sport", b"time"):
        one.setsockopt(zmq.SUBSCRIBE, topic)
    two.setsockopt(zmq.SUBSCRIBE, b"news.")
    run.settle()
    publish(run, pub, [(one, logs[0], (b"weather.", b"news.sport", b"time")),
                       (two, logs[1], (b"news.",))],
            [[b"weather.oslo", b"rain"], [b"news.sport", b"3:2"], [b"news.world", b"calm"],
             [b"nobody", b"wants this"], [b"time", b"12:00"]])
    one.setsockopt(zmq.UNSUBSCRIBE, b"news.sport")
    run.settle()
    publish(run, pub, [(one, logs[0], (b"weather.", b"time")), (two, logs[1], (b"news.",))],
            [[b"weather.rome", b"sun"], [b"news.sport", b"4:2"], [b"time", b"12:01"]])


@family("ROUTER with three DEALER clients that have identities.",
        mechanisms="null plain curve gssapi", every_version="null plain curve", transient_keys="curve")
def dealer_router(run):
    router = run.listen(zmq.ROUTER)
    names = (b"alpha", b"beta", b"client with a long identity \x00\xff")
    for turn, name in enumerate(names):
        dealer = run.connect(zmq.DEALER, IDENTITY=name)
        stream = run.stream()
        for number in range(2):
            frames = [b"job %d" % number, b"from client %d" % turn]
            dealer.send_multipart(frames)
            run.expect(router, [name, *frames])
            stream.up.extend(frames)
            reply = [b"done %d" % number, b"for client %d" % turn]
            router.send_multipart([name, *reply])
            run.expect(dealer, reply)
            stream.down.extend(reply)


@family("twelve DEALER clients at the same time, their traffic interleaved.",
        mechanisms="null curve")
def many_clients(run):
    router = run.listen(zmq.ROUTER)
    clients = [(run.connect(zmq.DEALER, IDENTITY=b"client %02d" % number), run.stream())
               for number in range(12)]
    for turn in range(2):
        for number, (dealer, stream) in enumerate(clients):
            message = b"turn %d of client %d" % (turn, number)
            dealer.send(message)
            stream.up.append(message)
        for _ in clients:
            name, message = router.recv_multipart()
            router.send_multipart([name, b"answer to " + message])
        for dealer, stream in clients:
            stream.down.append(dealer.recv())
            if stream.down[-1] != b"answer to " + stream.up[-1]:
                raise Failed("an answer went astray")


@family("identities of 255 octets, so that the signature holds 01 00 and INITIATE is long.",
        mechanisms="null curve gssapi", every_version="curve")
def long_identity(run):
    name = text(255, "identity")
    router = run.listen(zmq.ROUTER, IDENTITY=b"r" * 255)
    dealer, stream = run.connect(zmq.DEALER, IDENTITY=name), run.stream()
    dealer.send(b"hello")
    run.expect(router, [name, b"hello"])
    router.send_multipart([name, b"hello, long name"])
    run.expect(dealer, [b"hello, long name"])
    stream.up.append(b"hello")
    stream.down.append(b"hello, long name")


@family("PUSH sends ten jobs to PULL.", mechanisms="null curve gssapi")
def push_pull(run):
    pull, push, stream = run.pair(zmq.PULL, zmq.PUSH)
    for number in range(10):
        run.carry(push, pull, [b"job %d" % number], stream.up)


@family("PAIR to PAIR, both ways.", mechanisms="null curve gssapi")
def pair(run):
    left, right, stream = run.pair(zmq.PAIR, zmq.PAIR)
    for number in range(3):
        run.carry(left, right, [b"from the listener %d" % number], stream.down)
        run.carry(right, left, [b"from the connector %d" % number], stream.up)


@family("Messages of 1 to 10 parts between DEALERs, empty frames first, last and alone.",
        mechanisms="null plain curve gssapi", every_version="null plain curve")
def multipart(run):
    left, right, stream = run.pair(zmq.DEALER, zmq.DEALER)
    for count in range(1, 11):
        run.carry(right, left, [b"part %d of %d" % (i + 1, count) for i in range(count)],
                  stream.up)
    for parts in ([b""], [b"", b"after empty"], [b"before empty", b""], [b"", b"", b""],
                  [b"a", b"", b"c"]):
        run.carry(left, right, parts, stream.down)


@family("Frames around the limits of the short and the long length, up to 70000 octets.",
        mechanisms="null curve gssapi", every_version="null curve")
def sizes(run):
    left, right, stream = run.pair(zmq.PAIR, zmq.PAIR)
    wanted = [0, 1, 254, 255, 256, 257, 70000]
    if run.mechanism == "curve":
        # A box adds 33 octets: the frame passes 255 between 222 and 223.
        wanted = [0, 1, *range(200, 231), 254, 255, 256, 70000]
    if run.mechanism == "gssapi":
        # A token adds 73 octets with aes256-cts-hmac-sha1-96, the first key type of the realm.
        wanted = [0, 1, 15, 16, 17, *range(178, 188), 254, 255, 256, 70000]
    for size in wanted:
        run.carry(right, left, [text(size)], stream.up)
    for size in (0, 222, 223, 255, 256):
        run.carry(left, right, [text(size, "reply")], stream.down)


@family("One frame of 1 MiB from PUSH to PULL, then a short one.", mechanisms="curve")
def _1mb(run):
    pull, push, stream = run.pair(zmq.PULL, zmq.PUSH)
    run.carry(push, pull, [text(1 << 20)], stream.up)
    run.carry(push, pull, [b"after the large frame"], stream.up)


@family("1000 short messages, queued before the connection and sent in few segments.",
        mechanisms="null curve gssapi")
def burst(run):
    stream = run.stream()
    # Given a queue before the listener exists, libzmq fills its 8 kB buffer for each write.
    push = run.connect(zmq.PUSH, SNDHWM=0)
    messages = [b"message %04d" % number for number in range(1000)]
    for message in messages:
        push.send(message)
    pull = run.listen(zmq.PULL, RCVHWM=0)
    for message in messages:
        run.expect(pull, [message])
        stream.up.append(message)


@family("Heartbeats: PING with a TTL, PONG, and one message between.", mechanisms="null curve gssapi",
        every_version="null curve")
def heartbeat(run):
    router = run.listen(zmq.ROUTER)
    dealer = run.connect(zmq.DEALER, IDENTITY=b"beating", HEARTBEAT_IVL=150,
                         HEARTBEAT_TTL=2300, HEARTBEAT_TIMEOUT=5000)
    stream = run.stream()
    dealer.send(b"hello")
    run.expect(router, [b"beating", b"hello"])
    stream.up.append(b"hello")
    run.wait_for_packets(10)
    router.send_multipart([b"beating", b"still here"])
    run.expect(dealer, [b"still here"])
    stream.down.append(b"still here")
    run.wait_for_packets(4)


@family("REQ and REP over IPv6.", mechanisms="null curve gssapi")
def ipv6(run):
    run.host = "::1"
    rep = run.listen(zmq.REP, IPV6=1)
    req = run.connect(zmq.REQ, IPV6=1)
    exchange(run, rep, req, run.stream(), [b"question over IPv6"], [b"answer over IPv6"])


@family("Application metadata (ZMQ_METADATA) in the handshake of both peers.",
        mechanisms="null curve gssapi", every_version="null curve")
def metadata(run):
    rep = run.socket(zmq.REP, run.server_context, **run.server_options())
    req = run.socket(zmq.REQ, **run.client_options())
    for sock, values in ((rep, ("X-Service:printer", "X-Room:b 12")),
                         (req, ("X-Trace-Id:4711", "X-Colour:green"))):
        for value in values:
            sock.setsockopt_string(zmq.METADATA, value)
    run.bind(rep)
    req.connect(run.endpoint())
    exchange(run, rep, req, run.stream(), [b"question"], [b"answer"])

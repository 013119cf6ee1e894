// One socket of zeromq.js for record.py, driven over stdin: see ../../README.md.
// SPDX-License-Identifier: GPL-2.0-or-later
import readline from "node:readline"
import * as zmq from "zeromq"

const TYPES = {
    REQ: zmq.Request, REP: zmq.Reply, PUB: zmq.Publisher, SUB: zmq.Subscriber, XPUB: zmq.XPublisher,
    XSUB: zmq.XSubscriber, DEALER: zmq.Dealer, ROUTER: zmq.Router, PUSH: zmq.Push, PULL: zmq.Pull, PAIR: zmq.Pair,
}
const WAIT_MS = 10000

// A ZAP handler (RFC 27) for PLAIN, whose server in libzmq refuses everybody when there is none to ask.
async function admit(handler, options) {
    await handler.bind("inproc://zeromq.zap.01")
    for await (const [version, request, , , , , name, password] of handler) {
        const known = name == options.username && password == options.password
        // With a User-Id, libzmq's REQ as the security server closes at its first reply.
        await handler.send([version, request, known ? "200" : "400", "", "", ""])
    }
}

function secure(socket, handler, options) {
    const server = options.server === "1"
    if (options.mechanism === "plain" && server) {
        socket.plainServer = true
        admit(handler, options)
    } else if (options.mechanism === "plain") {
        socket.plainUsername = options.username
        socket.plainPassword = options.password
    } else if (options.mechanism === "curve") {
        socket.curvePublicKey = options.public
        socket.curveSecretKey = options.secret
        if (server) socket.curveServer = true
        else socket.curveServerKey = options.server_key
    }
}

const say = (text) => process.stdout.write(text + "\n")
const octets = (word) => Buffer.from(word === "-" ? "" : word, "hex")

async function obey(socket, lines) {
    let sender
    for await (const line of lines) {
        const [command, ...words] = line.split(" ")
        const parts = words.map(octets)
        let answer = "ok"
        try {
            if (command === "close") return
            else if (command === "send") await socket.send(parts)
            else if (command === "reply") await socket.send([sender, ...parts])
            else if (command === "subscribe") socket.subscribe(parts[0])
            else if (command === "unsubscribe") socket.unsubscribe(parts[0])
            else if (command === "recv") {
                const got = await socket.receive()
                sender = got[0]
                answer = ["got", ...got.map((part) => part.toString("hex") || "-")].join(" ")
            } else answer = `error no such command: ${command}`
        } catch (error) {
            answer = `error ${command}: ${error.message}`
        }
        say(answer)
    }
}

const [role, type, endpoint, ...rest] = process.argv.slice(2)
const options = Object.fromEntries(rest.map((word) => word.split(/=(.*)/s, 2)))
const handler = new zmq.Reply()
const socket = new TYPES[type]({ linger: WAIT_MS })
if (type !== "PUSH" && type !== "PUB") socket.receiveTimeout = WAIT_MS
if (type !== "PULL" && type !== "SUB") socket.sendTimeout = WAIT_MS
secure(socket, handler, options)
if (options.identity) socket.routingId = options.identity
if (options.heartbeat) socket.heartbeatInterval = Number(options.heartbeat)
// From the start: a line that comes before the socket is ready must not be lost.
const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]()
if (role === "listen") await socket.bind(endpoint)
else socket.connect(endpoint)
say("ready")
await obey(socket, lines)
// Node ends when both are closed and all that is left has been sent.
socket.close()
handler.close()

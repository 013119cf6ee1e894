// One socket of JeroMQ for record.py, driven over stdin: see ../../README.md.
// SPDX-License-Identifier: GPL-2.0-or-later
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.Map;
import org.zeromq.SocketType;
import org.zeromq.ZFrame;
import org.zeromq.ZMQ;
import org.zeromq.ZMQException;
import org.zeromq.ZMsg;

public class Peer {
    private static final int WAIT_MS = 10000;

    private static void say(String text) {
        System.out.println(text);
        System.out.flush();
    }

    /** A ZAP handler (RFC 27) that admits the one user of PLAIN. */
    private static void admit(ZMQ.Context context, Map<String, String> options) {
        ZMQ.Socket socket = context.socket(SocketType.REP);
        socket.bind("inproc://zeromq.zap.01");
        new Thread(() -> {
            try {
                while (true) {
                    ZFrame[] frames = ZMsg.recvMsg(socket).toArray(new ZFrame[0]);
                    boolean known = frames[6].streq(options.get("username"))
                        && frames[7].streq(options.get("password"));
                    ZMsg reply = new ZMsg();
                    reply.add(frames[0].getData());
                    reply.add(frames[1].getData());
                    // With a User-Id, JeroMQ's REQ as the security server closes at its first reply.
                    for (String text : new String[] {known ? "200" : "400", "", "", ""}) {
                        reply.add(text);
                    }
                    reply.send(socket);
                }
            } catch (ZMQException contextTerminated) {
                socket.close();
            }
        }).start();
    }

    private static void secure(ZMQ.Context context, ZMQ.Socket socket, Map<String, String> options) {
        boolean server = "1".equals(options.get("server"));
        switch (options.getOrDefault("mechanism", "null")) {
        case "plain":
            if (server) {
                socket.setPlainServer(true);
                admit(context, options);
            } else {
                socket.setPlainUsername(options.get("username"));
                socket.setPlainPassword(options.get("password"));
            }
            break;
        case "curve":
            socket.setCurvePublicKey(ZMQ.Curve.z85Decode(options.get("public")));
            socket.setCurveSecretKey(ZMQ.Curve.z85Decode(options.get("secret")));
            if (server) {
                socket.setCurveServer(true);
            } else {
                socket.setCurveServerKey(ZMQ.Curve.z85Decode(options.get("server_key")));
            }
            break;
        default:
            break;
        }
    }

    private static byte[] sender = {};

    private static String obey(ZMQ.Socket socket, String command, byte[][] parts) {
        ZMsg message = new ZMsg();
        switch (command) {
        case "reply":
            message.add(sender);
            // fall through
        case "send":
            Arrays.stream(parts).forEach(message::add);
            return message.send(socket) ? "ok" : "error send: not within 10 s";
        case "recv":
            message = ZMsg.recvMsg(socket);
            if (message == null) {
                return "error recv: no message within 10 s";
            }
            sender = message.getFirst().getData();
            StringBuilder answer = new StringBuilder("got");
            for (ZFrame frame : message) {
                answer.append(' ').append(frame.hasData() ? HexFormat.of().formatHex(frame.getData()) : "-");
            }
            return answer.toString();
        case "subscribe":
            return socket.subscribe(parts[0]) ? "ok" : "error subscribe";
        case "unsubscribe":
            return socket.unsubscribe(parts[0]) ? "ok" : "error unsubscribe";
        default:
            return "error no such command: " + command;
        }
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> options = new HashMap<>();
        for (int i = 3; i < arguments.length; i++) {
            String[] option = arguments[i].split("=", 2);
            options.put(option[0], option[1]);
        }
        ZMQ.Context context = ZMQ.context(1);
        ZMQ.Socket socket = context.socket(SocketType.valueOf(arguments[1]));
        socket.setLinger(WAIT_MS);
        socket.setReceiveTimeOut(WAIT_MS);
        socket.setSendTimeOut(WAIT_MS);
        secure(context, socket, options);
        if (options.containsKey("identity")) {
            socket.setIdentity(options.get("identity").getBytes(ZMQ.CHARSET));
        }
        if (options.containsKey("heartbeat")) {
            socket.setHeartbeatIvl(Integer.parseInt(options.get("heartbeat")));
        }
        if (arguments[0].equals("listen")) {
            socket.bind(arguments[2]);
        } else {
            socket.connect(arguments[2]);
        }
        say("ready");
        BufferedReader input = new BufferedReader(new InputStreamReader(System.in));
        for (String line; (line = input.readLine()) != null && !line.equals("close");) {
            String[] words = line.split(" ");
            byte[][] parts = Arrays.stream(words).skip(1)
                .map(word -> word.equals("-") ? new byte[0] : HexFormat.of().parseHex(word)).toArray(byte[][]::new);
            try {
                say(obey(socket, words[0], parts));
            } catch (ZMQException error) {
                say("error " + words[0] + ": " + error.getMessage());
            }
        }
        socket.close();
        // Waits for what is left to be sent.
        context.term();
    }
}

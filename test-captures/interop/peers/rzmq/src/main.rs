// Peer program for the crate rzmq: NULL, PLAIN and CURVE; no XPUB, XSUB or PAIR.
// SPDX-License-Identifier: GPL-2.0-or-later

#[path = "../../commands.rs"]
mod commands;

use commands::{text, Arguments, Done, Frames, Peer, Refusal};
use rzmq::socket::*;
use rzmq::{Context, Msg, MsgFlags, Socket, SocketType};

struct Opened {
    context: Context,
    socket: Socket,
}

async fn secure(socket: &Socket, arguments: &Arguments) -> Result<(), Refusal> {
    let is_server = arguments.is_server();
    let texts = match arguments.mechanism() {
        "null" => vec![],
        "plain" => {
            socket
                .set_option(PLAIN_SERVER, is_server)
                .await
                .map_err(text)?;
            vec![(PLAIN_USERNAME, "username"), (PLAIN_PASSWORD, "password")]
        }
        "curve" => {
            socket
                .set_option(CURVE_SERVER, is_server)
                .await
                .map_err(text)?;
            let mut keys = vec![(CURVE_PUBLIC_KEY, "public"), (CURVE_SECRET_KEY, "secret")];
            keys.extend((!is_server).then_some((CURVE_SERVER_KEY, "server_key")));
            keys
        }
        other => return Err(Refusal::Unsupported(other.to_uppercase())),
    };
    for (option, key) in texts {
        socket
            .set_option(option, arguments.need(key)?)
            .await
            .map_err(text)?;
    }
    Ok(())
}

async fn open(arguments: Arguments) -> Result<Opened, Refusal> {
    if arguments.mechanism() != "null" && arguments.listens != arguments.is_server() {
        return Err(Refusal::Unsupported(
            "rzmq takes the side that listens for the security server".into(),
        ));
    }
    let socket_type = match arguments.socket_type.as_str() {
        "REQ" => SocketType::Req,
        "REP" => SocketType::Rep,
        "PUB" => SocketType::Pub,
        "SUB" => SocketType::Sub,
        "DEALER" => SocketType::Dealer,
        "ROUTER" => SocketType::Router,
        "PUSH" => SocketType::Push,
        "PULL" => SocketType::Pull,
        other => return Err(Refusal::Unsupported(other.into())),
    };
    let context = Context::new().map_err(text)?;
    let socket = context.socket(socket_type).map_err(text)?;
    if matches!(socket_type, SocketType::Dealer | SocketType::Router) {
        // Else it puts an empty frame of its own before each message.
        socket
            .set_option(AUTO_DELIMITER, false)
            .await
            .map_err(text)?;
    }
    if let Some(identity) = arguments.option("identity") {
        socket
            .set_option(ROUTING_ID, identity)
            .await
            .map_err(text)?;
    }
    if let Some(interval) = arguments.option("heartbeat") {
        let milliseconds: i32 = interval.parse().map_err(text)?;
        socket
            .set_option(HEARTBEAT_IVL, milliseconds)
            .await
            .map_err(text)?;
    }
    secure(&socket, &arguments).await?;
    if arguments.listens {
        socket.bind(&arguments.endpoint).await.map_err(text)?;
    } else {
        socket.connect(&arguments.endpoint).await.map_err(text)?;
    }
    Ok(Opened { context, socket })
}

impl Peer for Opened {
    async fn send(&mut self, frames: Frames) -> Done<()> {
        let mut frames: Vec<Msg> = frames.into_iter().map(Msg::from_vec).collect();
        // send_multipart of a REQ always fails.
        if frames.len() == 1 {
            return self.socket.send(frames.remove(0)).await.map_err(text);
        }
        // ROUTER leaves these flags to the application.
        let last = frames.len() - 1;
        for frame in &mut frames[..last] {
            frame.set_flags(frame.flags() | MsgFlags::MORE);
        }
        self.socket.send_multipart(frames).await.map_err(text)
    }

    async fn recv(&mut self) -> Done<Frames> {
        let got = self.socket.recv_multipart().await.map_err(text)?;
        Ok(got
            .iter()
            .map(|frame| frame.data().unwrap_or_default().to_vec())
            .collect())
    }

    async fn subscribe(&mut self, topic: Vec<u8>) -> Done<()> {
        self.socket.set_option(SUBSCRIBE, topic).await.map_err(text)
    }

    async fn unsubscribe(&mut self, topic: Vec<u8>) -> Done<()> {
        self.socket
            .set_option(UNSUBSCRIBE, topic)
            .await
            .map_err(text)
    }

    async fn close(self) {
        let _ = self.socket.close().await;
        let _ = self.context.term().await;
    }
}

#[tokio::main]
async fn main() {
    commands::run(open).await;
}

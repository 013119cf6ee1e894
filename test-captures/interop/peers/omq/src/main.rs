// Peer program for the crate omq-tokio (OMQ): NULL, PLAIN and CURVE.
// SPDX-License-Identifier: GPL-2.0-or-later

#[path = "../../commands.rs"]
mod commands;

use commands::{text, Arguments, Done, Frames, Peer, Refusal};
use omq_tokio::{
    CurveKeypair, CurvePublicKey, CurveSecretKey, Message, Options, Socket, SocketType,
};
use std::time::Duration;

fn socket_type(name: &str) -> Result<SocketType, Refusal> {
    Ok(match name {
        "REQ" => SocketType::Req,
        "REP" => SocketType::Rep,
        "PUB" => SocketType::Pub,
        "SUB" => SocketType::Sub,
        "XPUB" => SocketType::XPub,
        "XSUB" => SocketType::XSub,
        "DEALER" => SocketType::Dealer,
        "ROUTER" => SocketType::Router,
        "PUSH" => SocketType::Push,
        "PULL" => SocketType::Pull,
        "PAIR" => SocketType::Pair,
        other => return Err(Refusal::Unsupported(other.into())),
    })
}

fn secured(options: Options, arguments: &Arguments) -> Result<Options, Refusal> {
    match arguments.mechanism() {
        "null" => Ok(options),
        "plain" => {
            let (username, password) = (arguments.need("username")?, arguments.need("password")?);
            Ok(if arguments.is_server() {
                options.plain_server_credentials([(username, password)])
            } else {
                options.plain_client(username, password)
            })
        }
        "curve" => {
            let keys = CurveKeypair {
                public: CurvePublicKey::from_z85(arguments.need("public")?).map_err(text)?,
                secret: CurveSecretKey::from_z85(arguments.need("secret")?).map_err(text)?,
            };
            Ok(if arguments.is_server() {
                options.curve_server(keys)
            } else {
                options.curve_client(
                    keys,
                    CurvePublicKey::from_z85(arguments.need("server_key")?).map_err(text)?,
                )
            })
        }
        other => Err(Refusal::Unsupported(other.to_uppercase())),
    }
}

async fn open(arguments: Arguments) -> Result<Socket, Refusal> {
    let mut options = secured(Options::default(), &arguments)?.linger(Duration::from_secs(1));
    if let Some(identity) = arguments.option("identity") {
        options = options.identity(identity.to_owned());
    }
    if let Some(interval) = arguments.option("heartbeat") {
        options =
            options.heartbeat_interval(Duration::from_millis(interval.parse().map_err(text)?));
    }
    let socket = Socket::try_new(socket_type(&arguments.socket_type)?, options).map_err(text)?;
    let endpoint = arguments.endpoint.as_str();
    if arguments.listens {
        socket.bind(endpoint).await.map_err(text)?;
    } else {
        socket.connect(endpoint).await.map_err(text)?;
    }
    Ok(socket)
}

impl Peer for Socket {
    async fn send(&mut self, frames: Frames) -> Done<()> {
        Socket::send(self, Message::multipart(frames))
            .await
            .map_err(text)
    }

    async fn recv(&mut self) -> Done<Frames> {
        let got = Socket::recv(self).await.map_err(text)?;
        Ok((0..got.len())
            .filter_map(|at| got.get(at))
            .map(<[u8]>::to_vec)
            .collect())
    }

    async fn subscribe(&mut self, topic: Vec<u8>) -> Done<()> {
        Socket::subscribe(self, topic).await.map_err(text)
    }

    async fn unsubscribe(&mut self, topic: Vec<u8>) -> Done<()> {
        Socket::unsubscribe(self, topic).await.map_err(text)
    }

    async fn close(self) {
        let _ = Socket::close(self).await;
    }
}

#[tokio::main]
async fn main() {
    commands::run(open).await;
}

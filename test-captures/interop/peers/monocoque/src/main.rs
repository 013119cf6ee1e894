// Peer program for the crate monocoque-rs: NULL, PLAIN and CURVE; no XPUB or XSUB, and PUB listens only.
// SPDX-License-Identifier: GPL-2.0-or-later

#[path = "../../commands.rs"]
mod commands;

use commands::{text, Arguments, Done, Frames, Peer, Refusal};
use monocoque::rt::{TcpListener, TcpStream};
use monocoque::zmq::*;
use monocoque::Bytes;
use monocoque_zmtp::security::plain::StaticPlainHandler;
use monocoque_zmtp::security::zap_handler::start_default_zap_server;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{spawn_local, JoinHandle, LocalSet};

// A socket of this crate is one connection that has shaken hands; each type has a type of its own.
enum AnySocket {
    Req(ReqSocket),
    Rep(RepSocket),
    Pub(PubSocket),
    Sub(SubSocket),
    Dealer(DealerSocket),
    Router(RouterSocket),
    Push(PushSocket),
    Pull(PullSocket),
    Pair(PairSocket),
}
use AnySocket::*;

/// A socket whose connection and handshake go on beside the commands; the first command waits for them.
struct Later {
    opening: Option<JoinHandle<Done<AnySocket>>>,
    socket: Done<AnySocket>,
}

impl Later {
    async fn socket(&mut self) -> Done<&mut AnySocket> {
        if let Some(opening) = &mut self.opening {
            self.socket = opening.await.map_err(text)?;
            self.opening = None;
        }
        self.socket.as_mut().map_err(|why| why.clone())
    }
}

fn octets(z85: &str) -> Done<[u8; 32]> {
    const DIGITS: &str =
        "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";
    let mut found = Vec::new();
    for five in z85.as_bytes().chunks(5) {
        let digits = five
            .iter()
            .map(|&digit| DIGITS.find(digit as char).unwrap_or(0) as u32);
        found.extend(
            digits
                .fold(0u32, |sum, digit| sum.wrapping_mul(85).wrapping_add(digit))
                .to_be_bytes(),
        );
    }
    found
        .try_into()
        .map_err(|_| "a key has 40 characters".into())
}

fn secured(arguments: &Arguments) -> Result<SocketOptions, Refusal> {
    let is_server = arguments.is_server();
    let mut options = SocketOptions::default();
    match arguments.mechanism() {
        "null" => {}
        "plain" => {
            let (username, password) = (arguments.need("username")?, arguments.need("password")?);
            options = options
                .with_plain_server(is_server)
                .with_plain_credentials(username, password);
            if is_server {
                let mut admitted = StaticPlainHandler::new();
                admitted.add_user(username, password);
                start_default_zap_server(Arc::new(admitted), false).map_err(text)?;
            }
        }
        "curve" => {
            options = options.with_curve_server(is_server).with_curve_keypair(
                octets(arguments.need("public")?)?,
                octets(arguments.need("secret")?)?,
            );
            if !is_server {
                options = options.with_curve_serverkey(octets(arguments.need("server_key")?)?);
            }
        }
        other => return Err(Refusal::Unsupported(other.to_uppercase())),
    }
    if let Some(identity) = arguments.option("identity") {
        options = options.with_routing_id(identity.to_owned().into());
    }
    if let Some(interval) = arguments.option("heartbeat") {
        options =
            options.with_heartbeat_ivl(Duration::from_millis(interval.parse().map_err(text)?));
    }
    Ok(options)
}

async fn shaken(socket_type: &str, stream: TcpStream, options: SocketOptions) -> Done<AnySocket> {
    Ok(match socket_type {
        "REQ" => Req(ReqSocket::from_tcp_with_options(stream, options)
            .await
            .map_err(text)?),
        "REP" => Rep(RepSocket::from_tcp_with_options(stream, options)
            .await
            .map_err(text)?),
        "SUB" => Sub(SubSocket::from_tcp_with_options(stream, options)
            .await
            .map_err(text)?),
        "DEALER" => Dealer(
            DealerSocket::from_tcp_with_options(stream, options)
                .await
                .map_err(text)?,
        ),
        "ROUTER" => Router(
            RouterSocket::from_tcp_with_options(stream, options)
                .await
                .map_err(text)?,
        ),
        "PUSH" => Push(
            PushSocket::from_tcp_with_options(stream, options)
                .await
                .map_err(text)?,
        ),
        "PULL" => Pull(
            PullSocket::from_tcp_with_options(stream, options)
                .await
                .map_err(text)?,
        ),
        _ => Pair(
            PairSocket::from_tcp_with_options(stream, options)
                .await
                .map_err(text)?,
        ),
    })
}

async fn open(arguments: Arguments) -> Result<Later, Refusal> {
    let options = secured(&arguments)?;
    let address = arguments.endpoint.trim_start_matches("tcp://").to_owned();
    let socket_type = arguments.socket_type;
    let opening = match (socket_type.as_str(), arguments.listens) {
        ("XPUB" | "XSUB", _) | ("PUB", false) => return Err(Refusal::Unsupported(socket_type)),
        ("PUB", true) => {
            let mut publisher = PubSocket::bind_with_options(address, options)
                .await
                .map_err(text)?;
            spawn_local(async move {
                publisher.accept_subscriber().await.map_err(text)?;
                Ok(Pub(publisher))
            })
        }
        (_, true) => {
            let listener = TcpListener::bind(address).await.map_err(text)?;
            spawn_local(async move {
                let (stream, _) = listener.accept().await.map_err(text)?;
                shaken(&socket_type, stream, options).await
            })
        }
        (_, false) => {
            let stream = TcpStream::connect(address).await.map_err(text)?;
            spawn_local(async move { shaken(&socket_type, stream, options).await })
        }
    };
    Ok(Later {
        opening: Some(opening),
        socket: Err(String::new()),
    })
}

impl Peer for Later {
    async fn send(&mut self, frames: Frames) -> Done<()> {
        let frames = frames.into_iter().map(Bytes::from).collect();
        let sent = match self.socket().await? {
            Req(socket) => socket.send(frames).await,
            Rep(socket) => socket.send(frames).await,
            Pub(socket) => socket.send(frames).await,
            Dealer(socket) => socket.send(frames).await,
            Router(socket) => socket.send(frames).await,
            Push(socket) => socket.send(frames).await,
            Pair(socket) => socket.send(frames).await,
            Sub(_) | Pull(_) => return Err("this type does not send".into()),
        };
        sent.map_err(text)
    }

    async fn recv(&mut self) -> Done<Frames> {
        let got = match self.socket().await? {
            Req(socket) => socket.recv().await,
            Rep(socket) => socket.recv().await,
            Sub(socket) => socket.recv().await,
            Dealer(socket) => socket.recv().await,
            Router(socket) => socket.recv().await,
            Pull(socket) => socket.recv().await,
            Pair(socket) => socket.recv().await,
            Pub(_) | Push(_) => return Err("this type does not receive".into()),
        };
        let frames = got.map_err(text)?.ok_or("the connection is closed")?;
        Ok(frames.iter().map(|frame| frame.to_vec()).collect())
    }

    async fn subscribe(&mut self, topic: Vec<u8>) -> Done<()> {
        match self.socket().await? {
            Sub(socket) => socket.subscribe(&topic).await.map_err(text),
            _ => Err("this type does not subscribe".into()),
        }
    }

    async fn unsubscribe(&mut self, topic: Vec<u8>) -> Done<()> {
        match self.socket().await? {
            Sub(socket) => socket.unsubscribe(&topic).await.map_err(text),
            _ => Err("this type does not subscribe".into()),
        }
    }

    // Dropping the socket closes its connection.
    async fn close(self) {}
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    LocalSet::new().run_until(commands::run(open)).await;
}

// Peer program for the crate zeromq (zmq.rs): NULL only, no PAIR.
// SPDX-License-Identifier: GPL-2.0-or-later

#[path = "../../commands.rs"]
mod commands;

use bytes::Bytes;
use commands::{text, Arguments, Done, Frames, Peer, Refusal};
use std::time::Duration;
use zeromq::prelude::*;
use zeromq::{SocketOptions, ZmqError, ZmqMessage};

// Which types can do what is known to the compiler, so each type has its own variant.
enum AnySocket {
    Req(zeromq::ReqSocket),
    Rep(zeromq::RepSocket),
    Pub(zeromq::PubSocket),
    Sub(zeromq::SubSocket),
    XPub(zeromq::XPubSocket),
    XSub(zeromq::XSubSocket),
    Dealer(zeromq::DealerSocket),
    Router(zeromq::RouterSocket),
    Push(zeromq::PushSocket),
    Pull(zeromq::PullSocket),
}
use AnySocket::*;

async fn opened<S: Socket>(arguments: &Arguments) -> Result<S, Refusal> {
    let mut options = SocketOptions::default();
    if let Some(identity) = arguments.option("identity") {
        options.peer_identity(identity.parse().map_err(text)?);
    }
    let mut socket = S::with_options(options);
    if arguments.listens {
        socket.bind(&arguments.endpoint).await.map_err(text)?;
    } else {
        socket.connect(&arguments.endpoint).await.map_err(text)?;
    }
    Ok(socket)
}

async fn open(arguments: Arguments) -> Result<AnySocket, Refusal> {
    let unsupported = |what: String| Err(Refusal::Unsupported(what));
    if arguments.mechanism() != "null" {
        return unsupported(arguments.mechanism().to_uppercase());
    }
    if arguments.option("heartbeat").is_some() {
        return unsupported("heartbeats".into());
    }
    Ok(match arguments.socket_type.as_str() {
        "REQ" => Req(opened(&arguments).await?),
        "REP" => Rep(opened(&arguments).await?),
        "PUB" => Pub(opened(&arguments).await?),
        "SUB" => Sub(opened(&arguments).await?),
        "XPUB" => XPub(opened(&arguments).await?),
        "XSUB" => XSub(opened(&arguments).await?),
        "DEALER" => Dealer(opened(&arguments).await?),
        "ROUTER" => Router(opened(&arguments).await?),
        "PUSH" => Push(opened(&arguments).await?),
        "PULL" => Pull(opened(&arguments).await?),
        other => return unsupported(other.into()),
    })
}

impl AnySocket {
    async fn try_send(&mut self, message: ZmqMessage) -> Result<(), ZmqError> {
        match self {
            Req(socket) => socket.send(message).await,
            Rep(socket) => socket.send(message).await,
            Pub(socket) => socket.send(message).await,
            XPub(socket) => socket.send(message).await,
            XSub(socket) => socket.send(message).await,
            Dealer(socket) => socket.send(message).await,
            Router(socket) => socket.send(message).await,
            Push(socket) => socket.send(message).await,
            Sub(_) | Pull(_) => Err(ZmqError::Other("this type does not send")),
        }
    }
}

impl Peer for AnySocket {
    async fn send(&mut self, frames: Frames) -> Done<()> {
        let frames: Vec<Bytes> = frames.into_iter().map(Bytes::from).collect();
        let message = ZmqMessage::try_from(frames).map_err(text)?;
        // A socket that listens has nobody to send to until the other side has shaken hands.
        while let Err(error) = self.try_send(message.clone()).await {
            if !matches!(error, ZmqError::ReturnToSender { .. }) {
                return Err(text(error));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    async fn recv(&mut self) -> Done<Frames> {
        let got = match self {
            Req(socket) => socket.recv().await,
            Rep(socket) => socket.recv().await,
            Sub(socket) => socket.recv().await,
            XPub(socket) => socket.recv().await,
            XSub(socket) => socket.recv().await,
            Dealer(socket) => socket.recv().await,
            Router(socket) => socket.recv().await,
            Pull(socket) => socket.recv().await,
            Pub(_) | Push(_) => return Err("this type does not receive".into()),
        };
        Ok(got
            .map_err(text)?
            .into_vec()
            .iter()
            .map(|frame| frame.to_vec())
            .collect())
    }

    async fn subscribe(&mut self, topic: Vec<u8>) -> Done<()> {
        let topic = String::from_utf8(topic).map_err(text)?;
        match self {
            Sub(socket) => socket.subscribe(&topic).await.map_err(text),
            XSub(socket) => socket.subscribe(&topic).await.map_err(text),
            _ => Err("this type does not subscribe".into()),
        }
    }

    async fn unsubscribe(&mut self, topic: Vec<u8>) -> Done<()> {
        let topic = String::from_utf8(topic).map_err(text)?;
        match self {
            Sub(socket) => socket.unsubscribe(&topic).await.map_err(text),
            XSub(socket) => socket.unsubscribe(&topic).await.map_err(text),
            _ => Err("this type does not subscribe".into()),
        }
    }

    // Dropping the socket closes its connections.
    async fn close(self) {}
}

#[tokio::main]
async fn main() {
    commands::run(open).await;
}

// The command line and the stdin/stdout protocol of a peer program, for the peers in Rust.
// SPDX-License-Identifier: GPL-2.0-or-later

use std::collections::HashMap;
use std::future::Future;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};

pub type Frames = Vec<Vec<u8>>;
pub type Done<T> = Result<T, String>;

const LIMIT: Duration = Duration::from_secs(10);
// Messages that the implementation still holds have left by then.
const LINGER: Duration = Duration::from_millis(300);
const CLOSING: Duration = Duration::from_secs(2);

pub struct Arguments {
    pub listens: bool,
    pub socket_type: String,
    pub endpoint: String,
    options: HashMap<String, String>,
}

impl Arguments {
    fn read() -> Done<Self> {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let [how, socket_type, endpoint, options @ ..] = words.as_slice() else {
            return Err("usage: peer listen|connect TYPE ENDPOINT [KEY=VALUE...]".into());
        };
        let pairs = options.iter().filter_map(|word| word.split_once('='));
        Ok(Self {
            listens: how == "listen",
            socket_type: socket_type.clone(),
            endpoint: endpoint.clone(),
            options: pairs
                .map(|(key, value)| (key.into(), value.into()))
                .collect(),
        })
    }

    pub fn option(&self, key: &str) -> Option<&str> {
        self.options.get(key).map(String::as_str)
    }

    pub fn mechanism(&self) -> &str {
        self.option("mechanism").unwrap_or("null")
    }

    #[allow(dead_code)]
    pub fn is_server(&self) -> bool {
        self.option("server") == Some("1")
    }

    /// The value of an option without which the mechanism cannot run.
    #[allow(dead_code)]
    pub fn need(&self, key: &str) -> Done<&str> {
        self.option(key).ok_or(format!("{key}= is missing"))
    }
}

/// Why there is no socket: the implementation cannot do it at all, or it failed.
pub enum Refusal {
    Unsupported(String),
    Failed(String),
}

impl From<String> for Refusal {
    fn from(text: String) -> Self {
        Refusal::Failed(text)
    }
}

#[allow(async_fn_in_trait)]
pub trait Peer {
    async fn send(&mut self, frames: Frames) -> Done<()>;
    async fn recv(&mut self) -> Done<Frames>;
    async fn subscribe(&mut self, topic: Vec<u8>) -> Done<()>;
    async fn unsubscribe(&mut self, topic: Vec<u8>) -> Done<()>;
    async fn close(self);
}

pub fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn decode(word: &str) -> Done<Vec<u8>> {
    if word == "-" {
        return Ok(Vec::new());
    }
    (0..word.len())
        .step_by(2)
        .map(|at| {
            word.get(at..at + 2)
                .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        })
        .collect::<Option<_>>()
        .ok_or(format!("not hexadecimal: {word}"))
}

fn encode(frame: &[u8]) -> String {
    if frame.is_empty() {
        return "-".into();
    }
    frame.iter().map(|octet| format!("{octet:02x}")).collect()
}

async fn limited<T>(work: impl Future<Output = Done<T>>) -> Done<T> {
    let late = || Err(format!("nothing within {} s", LIMIT.as_secs()));
    tokio::time::timeout(LIMIT, work)
        .await
        .unwrap_or_else(|_| late())
}

async fn obey(peer: &mut impl Peer, sender: &mut Frames, line: &str) -> Done<String> {
    let mut words = line.split_whitespace();
    let command = words.next().unwrap_or("");
    let mut frames = words.map(decode).collect::<Done<Frames>>()?;
    match command {
        "send" => limited(peer.send(frames)).await?,
        "reply" => {
            frames.splice(0..0, sender.clone());
            limited(peer.send(frames)).await?;
        }
        "recv" => {
            let got = limited(peer.recv()).await?;
            *sender = got[..got.len().min(1)].to_vec();
            let words: Vec<String> = got.iter().map(|frame| encode(frame)).collect();
            return Ok(format!("got {}", words.join(" ")));
        }
        "subscribe" => limited(peer.subscribe(frames.concat())).await?,
        "unsubscribe" => limited(peer.unsubscribe(frames.concat())).await?,
        _ => return Err(format!("unknown command {command}")),
    }
    Ok("ok".into())
}

/// Run a peer program; `open` makes the socket and binds or connects it.
pub async fn run<P, F>(open: impl FnOnce(Arguments) -> F)
where
    P: Peer,
    F: Future<Output = Result<P, Refusal>>,
{
    let opening = async { open(Arguments::read()?).await };
    let opened = tokio::time::timeout(LIMIT, opening).await;
    let mut peer = match opened.unwrap_or_else(|_| Err(Refusal::Failed("no connection".into()))) {
        Ok(peer) => peer,
        Err(Refusal::Unsupported(what)) => {
            println!("unsupported {what}");
            std::process::exit(3);
        }
        Err(Refusal::Failed(why)) => {
            println!("error {}", why.replace('\n', " "));
            std::process::exit(1);
        }
    };
    println!("ready");
    let mut sender = Frames::new();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        if line == "close" {
            break;
        }
        match obey(&mut peer, &mut sender, &line).await {
            Ok(answer) => println!("{answer}"),
            Err(why) => println!("error {}", why.replace('\n', " ")),
        }
    }
    tokio::time::sleep(LINGER).await;
    let _ = tokio::time::timeout(CLOSING, peer.close()).await;
    std::process::exit(0);
}

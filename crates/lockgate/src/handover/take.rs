//! The side that starts: takes what the running gateway gives.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;

use anyhow::Context;

use super::VARIABLE;
use super::channel::{Channel, ChannelError, PROTOCOL, Role, Word};

/// The most sockets that are taken: a thousand workers at a hundred addresses would be less.
const MOST: usize = 1 << 17;

/// A socket of the running gateway.
#[derive(Debug)]
pub(crate) struct Taken {
    /// What it is for.
    pub(crate) role: Role,
    /// The address in the settings, which for port 0 is not the one it has.
    pub(crate) asked: SocketAddr,
    /// The socket.
    pub(crate) socket: TcpListener,
}

/// The gateway that runs and is to be followed.
#[derive(Debug)]
pub(crate) struct Predecessor {
    channel: Channel,
    id: u32,
}

impl Predecessor {
    /// The gateway that started this one to follow it, if one did.
    pub(crate) fn find() -> anyhow::Result<Option<Self>> {
        let id = std::os::unix::process::parent_id();
        // A program that the gateway's successor starts inherits the variable, but has another parent.
        if std::env::var(VARIABLE).ok().and_then(|text| text.parse().ok()) != Some(id) {
            return Ok(None);
        }
        let socket = io::stdin().as_fd().try_clone_to_owned().context("the socket to the running gateway")?;
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        Ok(Some(Self { channel: Channel::new(socket).context("the socket to the running gateway")?, id }))
    }

    /// Its process id.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Its sockets.
    pub(crate) fn sockets(&self) -> Result<Vec<Taken>, ChannelError> {
        self.channel.expect(&Word::Hello { protocol: PROTOCOL })?;
        let mut taken = Vec::new();
        loop {
            match self.channel.hear()? {
                (Word::End, _) => return Ok(taken),
                (Word::Socket { role, asked }, Some(descriptor)) if taken.len() < MOST => {
                    taken.push(Taken { role, asked, socket: descriptor.into() });
                }
                (word, _) => return Err(ChannelError::Unexpected(format!("{word:?}"))),
            }
        }
    }

    /// Has it close the store.
    pub(crate) fn close_store(&self) -> Result<(), ChannelError> {
        self.channel.say(&Word::NeedStore, None)?;
        self.channel.expect(&Word::Store)
    }

    /// Says that this one could begin, and waits until it may.
    pub(crate) fn wait_to_begin(&self) -> Result<(), ChannelError> {
        self.channel.say(&Word::Ready, None)?;
        self.channel.expect(&Word::Go)
    }

    /// Says that this one has begun.
    pub(crate) fn begun(&self) {
        // It does not matter any more whether anybody hears it.
        drop(self.channel.say(&Word::Serving, None));
    }

    /// Says why this one cannot begin.
    pub(crate) fn fail(&self, error: &anyhow::Error) {
        self.channel.fail(&format!("{error:#}"));
    }
}

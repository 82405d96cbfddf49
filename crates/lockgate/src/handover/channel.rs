//! What two gateways say to each other, and the socket they say it over.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::SocketAddr;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};

/// How gateways speak to each other. A word that changes its meaning makes it another number.
pub(super) const PROTOCOL: u32 = 1;
/// How long one waits for the other's next word: a gateway with very many routes takes a while to compile them.
const PATIENCE: Duration = Duration::from_mins(1);
/// The longest word, in bytes.
const LONGEST: usize = 4096;
/// A reason is cut here, in characters.
const LONGEST_REASON: usize = 500;

/// What they say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Word {
    /// How this one speaks.
    Hello { protocol: u32 },
    /// A socket comes with it.
    Socket { role: Role, asked: SocketAddr },
    /// That were all.
    End,
    /// Close the store, so that I can open it.
    NeedStore,
    /// It is closed.
    Store,
    /// I could begin.
    Ready,
    /// Begin.
    Go,
    /// I have begun.
    Serving,
    /// I cannot.
    Failed { reason: String },
}

/// What a socket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// Where functions of this machine are called.
    Functions,
    /// The data plane.
    Proxy,
    /// The Admin API.
    Admin,
    /// The Control API.
    Control,
    /// What probes ask.
    Status,
    /// Where metrics are shown.
    Metrics,
}

/// Why they do not understand each other.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChannelError {
    /// The other one is gone.
    #[error("it ended before it was done")]
    Gone,
    /// The other one said why it cannot go on.
    #[error("{0}")]
    Failed(String),
    /// It said what does not fit here.
    #[error("it said {0}, which was not expected")]
    Unexpected(String),
    /// It said nothing for too long.
    #[error("it said nothing for {} s", PATIENCE.as_secs())]
    Silent,
    /// The socket between them failed.
    #[error("the socket between the two gateways failed: {0}")]
    Io(#[from] io::Error),
}

/// One end of the socket between them. It keeps words apart and can carry a descriptor with each.
#[derive(Debug)]
pub(super) struct Channel(OwnedFd);

impl Channel {
    /// Both ends.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (one, other) =
            socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        Ok((Self::new(one)?, other))
    }

    /// One end.
    pub(super) fn new(socket: OwnedFd) -> io::Result<Self> {
        set_socket_timeout(&socket, Timeout::Recv, Some(PATIENCE))?;
        set_socket_timeout(&socket, Timeout::Send, Some(PATIENCE))?;
        Ok(Self(socket))
    }

    /// Says a word. It blocks, for a minute at most.
    pub(super) fn say(&self, word: &Word, descriptor: Option<BorrowedFd<'_>>) -> Result<(), ChannelError> {
        let text = serde_json::to_vec(word).map_err(io::Error::from)?;
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        let descriptors: Vec<_> = descriptor.into_iter().collect();
        if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(io::Error::from(io::ErrorKind::OutOfMemory).into());
        }
        match sendmsg(&self.0, &[IoSlice::new(&text)], &mut control, SendFlags::NOSIGNAL) {
            Ok(_) => Ok(()),
            // Before it went it may have said why.
            Err(Errno::PIPE | Errno::CONNRESET) => match self.hear() {
                Err(failed @ ChannelError::Failed(_)) => Err(failed),
                _ => Err(ChannelError::Gone),
            },
            Err(error) => Err(io::Error::from(error).into()),
        }
    }

    /// Waits for a word, for a minute at most. It blocks.
    pub(super) fn hear(&self) -> Result<(Word, Option<OwnedFd>), ChannelError> {
        let mut text = [0; LONGEST];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut text)];
        let mut receive = || recvmsg(&self.0, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC);
        // A reset says that the other one left something unheard; what it said before comes after that.
        let heard =
            match receive().or_else(|error| if error == Errno::CONNRESET { receive() } else { Err(error) }) {
                Ok(heard) => heard.bytes,
                Err(Errno::AGAIN) => return Err(ChannelError::Silent),
                Err(Errno::CONNRESET) => 0,
                Err(error) => return Err(io::Error::from(error).into()),
            };
        let descriptor = control.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        if heard == 0 {
            return Err(ChannelError::Gone);
        }
        match serde_json::from_slice(&text[..heard]) {
            Ok(Word::Failed { reason }) => Err(ChannelError::Failed(reason)),
            Ok(word) => Ok((word, descriptor)),
            Err(_) => Err(ChannelError::Unexpected("something else than a word".to_owned())),
        }
    }

    /// Waits for this word.
    pub(super) fn expect(&self, expected: &Word) -> Result<(), ChannelError> {
        match self.hear()? {
            (word, _) if word == *expected => Ok(()),
            (word, _) => Err(ChannelError::Unexpected(format!("{word:?}"))),
        }
    }

    /// Says why this one cannot go on. Nobody may be left to hear it.
    pub(super) fn fail(&self, reason: &str) {
        let reason = reason.chars().take(LONGEST_REASON).collect();
        drop(self.say(&Word::Failed { reason }, None));
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsFd;

    use super::*;

    fn pair() -> (Channel, Channel) {
        let (one, other) = Channel::pair().unwrap();
        (one, Channel::new(other).unwrap())
    }

    #[test]
    fn a_socket_that_was_handed_over_has_the_connections_that_wait_in_it() {
        let (one, other) = pair();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let asked = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(asked).unwrap();
        let word = Word::Socket { role: Role::Proxy, asked };
        one.say(&word, Some(listener.as_fd())).unwrap();
        drop(listener);
        let (heard, descriptor) = other.hear().unwrap();
        assert_eq!(heard, word);
        let taken = TcpListener::from(descriptor.unwrap());
        taken.accept().unwrap().0.write_all(b"hello").unwrap();
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "hello");
    }

    #[test]
    fn words_are_kept_apart() {
        let (one, other) = pair();
        one.say(&Word::Hello { protocol: 7 }, None).unwrap();
        one.say(&Word::End, None).unwrap();
        assert_eq!(other.hear().unwrap().0, Word::Hello { protocol: 7 });
        assert!(matches!(other.expect(&Word::Go), Err(ChannelError::Unexpected(word)) if word == "End"));
    }

    #[test]
    fn one_that_is_gone_or_failed_is_told_apart() {
        let (one, other) = pair();
        one.fail(&"é".repeat(5000));
        assert!(matches!(other.hear(), Err(ChannelError::Failed(reason)) if reason.starts_with("éé")));
        drop(one);
        assert!(matches!(other.hear(), Err(ChannelError::Gone)));
        assert!(matches!(other.say(&Word::Go, None), Err(ChannelError::Gone)));
        let (one, other) = pair();
        one.say(&Word::Hello { protocol: 1 }, None).unwrap();
        other.fail("no");
        drop(other);
        assert!(matches!(one.say(&Word::End, None), Err(ChannelError::Failed(reason)) if reason == "no"));
    }
}

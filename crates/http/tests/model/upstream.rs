//! The upstream's part: answers each request as the plan says, and keeps what it was sent.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

use crate::client::may_be_cut;
use crate::plan::{Body, End, Plan, Turn};
use crate::wire::{Message, Reader, data, framed, framing, resets_when_dropped, write_in};

/// What the upstream was sent, by turn.
#[derive(Default)]
pub(crate) struct Log(Rc<RefCell<HashMap<usize, Message>>>);

impl Log {
    /// Every request that came came as it was sent, and none came that was not.
    pub(crate) fn check(&self, plan: &Plan) {
        for (at, message) in self.0.borrow().iter() {
            let turn = &plan.turns[*at];
            assert!(
                message.head.starts_with(&format!("{} /turn-{at} HTTP/1.1\r\n", turn.method)),
                "{}",
                message.head
            );
            let expected = data(*at, false, turn.request.len());
            assert!(expected.starts_with(&message.body), "turn {at}: an upload is another one");
            if message.is_whole {
                assert_eq!(message.body.len(), expected.len(), "turn {at}: an upload ends early");
                assert_eq!(message.has_trailer, turn.request.has_trailer(), "turn {at}");
            } else {
                assert!(turn.is_early || plan.end.is_of_client(), "turn {at}: an upload broke off");
            }
        }
    }
}

/// Accepts connections for ever.
pub(crate) async fn play(listener: &TcpListener, plan: &Plan, log: &Log) {
    let plan = Rc::new(plan.clone());
    loop {
        let (socket, _) = listener.accept().await.expect("it listens");
        tokio::task::spawn_local(serve(socket, plan.clone(), log.0.clone()));
    }
}

async fn serve(socket: TcpStream, plan: Rc<Plan>, log: Rc<RefCell<HashMap<usize, Message>>>) {
    let (read, mut written) = socket.into_split();
    let mut reader = Reader::new(read);
    while let Some(head) = reader.head().await {
        let at: usize = head
            .split("/turn-")
            .nth(1)
            .and_then(|rest| rest.split(' ').next()?.parse().ok())
            .expect("a turn");
        let turn = &plan.turns[at];
        let is_cut = plan.end.is_of_upstream() && at + 1 == plan.turns.len() && may_be_cut(turn);
        let message = exchange(&mut reader, &mut written, head, at, turn, is_cut).await;
        let is_whole = message.is_whole;
        let is_first = log.borrow_mut().insert(at, message).is_none();
        // A reset may take an answer away, and then nothing shows that the request was read.
        assert!(is_first || (is_cut && plan.end == End::Reset), "turn {at} came twice");
        if is_cut && plan.end == End::Reset {
            resets_when_dropped(written.as_ref());
            written.forget();
            return;
        }
        if turn.closes || is_cut || !is_whole {
            let _ = written.shutdown().await;
            return;
        }
    }
}

/// Reads the request and answers it: one after the other, or both at once.
async fn exchange(
    reader: &mut Reader<OwnedReadHalf>,
    to: &mut OwnedWriteHalf,
    head: String,
    at: usize,
    turn: &Turn,
    is_cut: bool,
) -> Message {
    let answer = answer(at, turn, is_cut);
    if turn.is_early {
        let (message, _) = tokio::join!(reader.body(head), write_in(to, &answer, turn.piece));
        return message;
    }
    let message = reader.body(head).await;
    let _ = write_in(to, &answer, turn.piece).await;
    message
}

fn answer(at: usize, turn: &Turn, is_cut: bool) -> Vec<u8> {
    let mut out = "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(turn.interims);
    let framing = if turn.status == 204 { String::new() } else { framing(&turn.answer) };
    let close = if turn.closes { "Connection: close\r\n" } else { "" };
    out.extend(["HTTP/1.1 ", &turn.status.to_string(), " X\r\n", &framing, close, "\r\n"]);
    let mut out = out.into_bytes();
    if !turn.is_bodiless() {
        out.extend(framed(&turn.answer, &data(at, true, turn.answer.len())));
        if is_cut {
            // The last data, and with chunks all that stands behind them, does not come.
            let short = if matches!(turn.answer, Body::Length(_)) { 1 } else { 3 };
            out.truncate(out.len() - short);
        }
    }
    out
}

//! The client's part: sends the requests of a plan, and holds each answer against it.

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::Semaphore;

use crate::plan::{Body, End, Plan, Turn};
use crate::wire::{Reader, data, framed, framing, resets_when_dropped, write_in};

pub(crate) async fn play(socket: TcpStream, plan: &Plan) {
    let (read, written) = socket.into_split();
    let answered = Semaphore::new(0);
    // Who has all answers is done, whether or not the last request could be sent to its end; so is who leaves.
    tokio::select! {
        () = receive(read, plan, &answered) => {}
        () = send(written, plan, &answered) => {}
    }
}

/// Sends all requests; ends only where the client leaves.
async fn send(mut to: OwnedWriteHalf, plan: &Plan, answered: &Semaphore) {
    for (at, turn) in plan.turns.iter().enumerate() {
        if at > 0 && !plan.pipelines {
            answered.acquire().await.expect("it is never closed").forget();
        }
        let closes = at + 1 == plan.turns.len() && plan.end == End::Asked;
        let mut bytes =
            [head(at, turn, closes), framed(&turn.request, &data(at, false, turn.request.len()))].concat();
        let leaves = at + 1 == plan.turns.len() && matches!(plan.end, End::Left { .. });
        if leaves {
            bytes.truncate(bytes.len() / 2);
        }
        if write_in(&mut to, &bytes, plan.piece).await.is_err() {
            break;
        }
        if leaves {
            if plan.end == (End::Left { resets: true }) {
                resets_when_dropped(to.as_ref());
                to.forget();
            }
            return;
        }
    }
    if plan.end == End::HalfClosed {
        let _ = to.shutdown().await;
    }
    // A socket that is dropped here would be closed.
    std::future::pending::<()>().await;
}

fn head(at: usize, turn: &Turn, closes: bool) -> Vec<u8> {
    let expects = if turn.expects { "Expect: 100-continue\r\n" } else { "" };
    let close = if closes { "Connection: close\r\n" } else { "" };
    let framing = framing(&turn.request);
    format!("{} /turn-{at} HTTP/1.1\r\nHost: h\r\n{expects}{framing}{close}\r\n", turn.method).into_bytes()
}

async fn receive(from: OwnedReadHalf, plan: &Plan, answered: &Semaphore) {
    let mut reader = Reader::new(from);
    for (at, turn) in plan.turns.iter().enumerate() {
        let is_last = at + 1 == plan.turns.len();
        let Some(head) = final_head(&mut reader).await else {
            let may_end = at > 0 && may_end_unsaid(&plan.turns[at - 1]);
            assert!(may_end || plan.end.is_of_client(), "turn {at} has no answer");
            return;
        };
        let is_cut = is_last && plan.end.is_of_upstream() && may_be_cut(turn);
        let is_refused = head.starts_with("HTTP/1.1 502 ") && is_cut;
        let status = format!("HTTP/1.1 {} ", turn.status);
        assert!(head.starts_with(&status) || is_refused, "turn {at}: {head}");
        if is_refused {
            return;
        }
        let ends = head.contains("\r\nConnection: close\r\n");
        let message = if turn.is_bodiless() { None } else { Some(reader.body(head).await) };
        if let Some(message) = message {
            let expected = data(at, true, turn.answer.len());
            assert!(expected.starts_with(&message.body), "turn {at}: a body is another one");
            if is_cut {
                assert!(!message.is_whole, "turn {at}: a body that was cut looks whole");
                return;
            }
            let is_all = message.is_whole && message.body.len() == expected.len();
            assert!(
                is_all || plan.end.is_of_client(),
                "turn {at}: {} of {}",
                message.body.len(),
                expected.len()
            );
            if !is_all {
                return;
            }
            assert_eq!(message.has_trailer, turn.answer.has_trailer(), "turn {at}");
        }
        answered.add_permits(1);
        if ends || (is_last && plan.end == End::Asked) {
            let was_asked = is_last && plan.end == End::Asked;
            assert!(was_asked || may_end_behind(turn), "turn {at} ends the connection");
            let rest = reader.rest().await;
            assert!(rest.is_empty(), "behind the last answer: {}", rest.escape_ascii());
            return;
        }
    }
}

/// The head of a final answer; interim ones are passed over.
async fn final_head(reader: &mut Reader<OwnedReadHalf>) -> Option<String> {
    loop {
        let head = reader.head().await?;
        if !head.starts_with("HTTP/1.1 1") {
            return Some(head);
        }
    }
}

/// Whether what is left of an upload, when its answer begins, may be too much to be read for the sake of the next
/// request; or perhaps will never come, where the client had asked before it sends it.
fn may_end_behind(turn: &Turn) -> bool {
    let may_be_long = turn.request.len() > KEPT || matches!(turn.request, Body::Chunks { .. });
    turn.is_early && (may_be_long || (turn.expects && turn.request.len() > 0))
}

/// Whether that may show only when the answer has ended: one of no known length goes on with its upload.
fn may_end_unsaid(turn: &Turn) -> bool {
    turn.is_early
        && turn.request.len() > KEPT
        && !turn.is_bodiless()
        && !matches!(turn.answer, Body::Length(_))
}

/// An upload of so much is read to its end in any case.
const KEPT: usize = 200 * 1024;

/// Whether there is something of the answer that can be missing.
pub(crate) fn may_be_cut(turn: &Turn) -> bool {
    !turn.is_bodiless() && turn.answer.len() > 0 && !matches!(turn.answer, Body::UntilClose(_))
}

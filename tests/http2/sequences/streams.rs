//! RFC 9113 §5: what may come on a stream.

use lockgate_tests::wire::*;

use super::{Case, Then, forwarded};

const CLOSED: Then = Then::Closed(&[code::PROTOCOL]);

pub(crate) fn idle() -> Vec<Case> {
    vec![
        ("9113 §5.1", "data on an idle stream", data(1, END_STREAM, "x"), CLOSED),
        ("9113 §5.1", "a reset of an idle stream", reset(1, code::CANCEL), CLOSED),
        ("9113 §5.1", "a window for an idle stream", window(1, 100), CLOSED),
        ("9113 §5.1", "a continuation on an idle stream", frame(CONTINUATION, WHOLE, 1, block(&GET)), CLOSED),
        ("9113 §5.1", "a priority on an idle stream", frame(PRIORITY, 0, 9, [0, 0, 0, 0, 1]), Then::Ignored),
        ("9113 §5.1.1", "a head on stream 0", get(0), CLOSED),
        ("9113 §5.1.1", "an even stream", get(2), CLOSED),
    ]
}

pub(crate) fn dependencies() -> Vec<Case> {
    let own = [&[0, 0, 0, 1, 16], block(&GET).as_slice()].concat();
    let other = [&[0x80, 0, 0, 0, 16], block(&GET).as_slice()].concat();
    vec![
        (
            "9113 §5.3.1",
            "a head that depends on itself",
            headers(1, WHOLE | WITH_PRIORITY, own),
            Then::Reset(1, &[code::PROTOCOL]),
        ),
        (
            "9113 §5.3.2",
            "a head with a priority",
            headers(1, WHOLE | WITH_PRIORITY, other),
            forwarded("GET /p", "Host: h\r\n@\r\n", ""),
        ),
    ]
}

//! A signature takes no memory but that of the headers it gives back.

use std::hint::black_box;

use allocation_counter::measure;
use lockgate_aws::{Credentials, Payload, Signable, Signer};

const NOON: u64 = 1_440_938_160;
const HEADERS: [(&str, &[u8]); 3] = [
    ("Host", b"x9w6z07gb9.execute-api.us-east-1.amazonaws.com"),
    ("Content-Type", b"application/json;  charset=utf-8"),
    ("X-Amz-Invocation-Type", b"RequestResponse"),
];

#[test]
fn signing_allocates_the_headers_it_gives_and_nothing_else() {
    let signer = Signer::new("us-east-1", "execute-api").unwrap();
    let token = "t".repeat(800);
    let body = vec![7; 64 * 1024];
    for token in [None, Some(&*token)] {
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", token).unwrap();
        for (path, query) in [
            ("/", None),
            ("/default/test-apisix/caf%C3%A9/a@b:c//../x/", Some("name=a%20b&b=2&a=1&a=0&flag&q=%7Bid%7D")),
        ] {
            for payload in [Payload::Bytes(b""), Payload::Bytes(&body[..1024]), Payload::Bytes(&body)] {
                let request = Signable { method: "POST", path, query, headers: HEADERS, payload };
                let sign = |at| drop(black_box(signer.sign(&credentials, at, request).unwrap()));
                // The first of a thread, of a day and of a size makes what is kept.
                sign(NOON);
                let counted = measure(|| sign(NOON));
                assert_eq!((counted.count_total, counted.count_current), (1, 0), "{path}");
                let most = 600 + token.map_or(0, str::len);
                assert!(counted.bytes_total <= most as u64, "{} bytes", counted.bytes_total);
            }
        }
    }
}

#[test]
fn a_path_and_a_query_that_need_no_change_are_not_copied() {
    let counted = measure(|| {
        black_box(lockgate_aws::wire_path("/default/caf%C3%A9/"));
        black_box(lockgate_aws::wire_query("name=a%20b&flag"));
    });
    assert_eq!(counted.count_total, 0);
}

//! How long a signature takes: no body, 1 KiB, temporary credentials with a long query, many regions, and AWS's own
//! crate.

use std::hint::black_box;
use std::time::{Duration, UNIX_EPOCH};

use aws_sigv4::http_request::{PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use criterion::{Criterion, criterion_group, criterion_main};
use lockgate_aws::{Credentials, Payload, Signable, Signer};

/// What the program runs on.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: u64 = 1_440_938_160;
const HOST: &str = "x9w6z07gb9.execute-api.us-east-1.amazonaws.com";
const ACCESS_KEY: &str = "AKIDEXAMPLE";
const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

fn sign_with(criterion: &mut Criterion, name: &str, token: Option<&str>, query: Option<&str>, body: &[u8]) {
    let signer = Signer::new("us-east-1", "execute-api").expect("what is signed here is well formed");
    sign_by(criterion, name, &signer, token, query, body);
}

fn sign_by(
    criterion: &mut Criterion,
    name: &str,
    signer: &Signer,
    token: Option<&str>,
    query: Option<&str>,
    body: &[u8],
) {
    let credentials =
        Credentials::new(ACCESS_KEY, SECRET_KEY, token).expect("what is signed here is well formed");
    criterion.bench_function(name, |bencher| {
        bencher.iter(|| {
            let request = Signable {
                method: "POST",
                path: black_box("/default/test-apisix/items"),
                query,
                headers: [("Host", HOST.as_bytes()), ("Content-Type", b"application/json")],
                payload: Payload::Bytes(black_box(body)),
            };
            signer.sign(&credentials, black_box(NOW), request).expect("what is signed here is well formed")
        });
    });
}

fn ours(criterion: &mut Criterion) {
    let kilobyte = vec![7; 1024];
    let token = "t".repeat(800);
    let query = "name=a%20b&b=2&a=1&a=0&flag&page=17&sort=-created&filter=%7Bid%7D";
    sign_with(criterion, "sign, empty body", None, None, b"");
    sign_with(criterion, "sign, 1 KiB", None, None, &kilobyte);
    sign_with(criterion, "sign, 1 KiB, session token, 8 parameters", Some(&token), Some(query), &kilobyte);
    let everywhere = Signer::multi_region("*", "lambda").expect("what is signed here is well formed");
    sign_by(criterion, "sign by version 4a, 1 KiB", &everywhere, None, None, &kilobyte);
}

fn theirs(criterion: &mut Criterion) {
    let identity = aws_credential_types::Credentials::new(ACCESS_KEY, SECRET_KEY, None, None, "bench").into();
    let kilobyte = vec![7; 1024];
    for (name, body) in [("aws-sigv4, empty body", &[][..]), ("aws-sigv4, 1 KiB", &kilobyte)] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut settings = SigningSettings::default();
                settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
                let params = v4::SigningParams::builder()
                    .identity(&identity)
                    .region("us-east-1")
                    .name("execute-api")
                    .time(UNIX_EPOCH + Duration::from_secs(black_box(NOW)))
                    .settings(settings)
                    .build()
                    .expect("what is signed here is well formed")
                    .into();
                let headers = [("host", HOST), ("content-type", "application/json")].into_iter();
                let uri = format!("https://{HOST}/default/test-apisix/items");
                let body = SignableBody::Bytes(black_box(body));
                let request = SignableRequest::new("POST", uri, headers, body)
                    .expect("what is signed here is well formed");
                sign(request, &params).expect("what is signed here is well formed")
            });
        });
    }
}

criterion_group!(benches, ours, theirs);
criterion_main!(benches);

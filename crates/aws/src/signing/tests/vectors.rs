//! AWS's published vectors for Signature Version 4, header form: each file of the suite, byte for byte.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::{Payload, Rules, Signable, Signer, SigningError};
use super::trace;
use crate::credentials::Credentials;

const VECTORS: usize = 38;

fn suite() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/aws-signing-test-suite/v4");
    assert!(
        folder.is_dir(),
        "the folder aws-signing-test-suite/v4 with the published vectors is not at {}",
        folder.display()
    );
    folder
}

struct Vector {
    method: String,
    path: String,
    query: Option<String>,
    headers: Vec<(String, Vec<u8>)>,
    body: String,
}

impl Vector {
    fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
        let mut lines = head.lines();
        let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
        let (target, _) = rest.rsplit_once(' ').unwrap();
        let (path, query) = match target.split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target, None),
        };
        let mut headers: Vec<(String, Vec<u8>)> = Vec::new();
        for line in lines {
            // A folded line (RFC 9112 §5.2), which a server has joined before anyone sees it.
            if let (true, Some((_, value))) = (line.starts_with([' ', '\t']), headers.last_mut()) {
                value.push(b' ');
                value.extend_from_slice(line.as_bytes());
            } else {
                let (name, value) = line.split_once(':').unwrap();
                headers.push((name.to_owned(), value.into()));
            }
        }
        Self { method: method.into(), path: path.into(), query, headers, body: body.into() }
    }

    fn signable(&self) -> Signable<'_, Vec<(&str, &[u8])>> {
        Signable {
            method: &self.method,
            path: &self.path,
            query: self.query.as_deref(),
            headers: self.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect(),
            payload: Payload::Bytes(self.body.as_bytes()),
        }
    }
}

fn check(folder: &Path) -> Result<(), SigningError> {
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let context: Value = serde_json::from_str(&read("context.json")).unwrap();
    let text = |pointer: &str| context.pointer(pointer).and_then(Value::as_str);
    let flag = |name: &str, default| context[name].as_bool().unwrap_or(default);
    let credentials = Credentials::new(
        text("/credentials/access_key_id").unwrap(),
        text("/credentials/secret_access_key").unwrap(),
        text("/credentials/token"),
    )?;
    let mut signer = Signer::new(text("/region").unwrap(), text("/service").unwrap())?;
    signer.rules = Rules {
        resolves_path: flag("normalize", true),
        sends_hash: flag("sign_body", false),
        signs_token: !flag("omit_session_token", false),
    };
    assert_eq!(text("/timestamp"), Some("2015-08-30T12:36:00Z"));
    let vector = Vector::parse(&read("request.txt"));
    let made = trace(&signer, &credentials, super::NOON, vector.signable());
    let name = folder.display();
    assert_eq!(made.canonical, read("header-canonical-request.txt"), "{name}");
    assert_eq!(made.to_sign, read("header-string-to-sign.txt"), "{name}");
    let signature = made.authorization.rsplit_once("Signature=").unwrap().1;
    assert_eq!(signature, read("header-signature.txt"), "{name}");
    let whole = read("header-signed-request.txt");
    assert!(whole.contains(&format!("\nAuthorization:{}\n", made.authorization)), "{name}");
    Ok(())
}

#[test]
fn every_published_vector_is_signed_as_aws_signs_it() {
    let mut count = 0;
    for entry in fs::read_dir(suite()).unwrap() {
        let folder = entry.unwrap().path();
        if folder.join("header-signature.txt").is_file() {
            check(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            count += 1;
        }
    }
    assert_eq!(count, VECTORS, "vectors with a header form");
}

//! AWS's published vectors for Signature Version 4 and 4a, in headers and in the query: each file of the suites,
//! byte for byte.

use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, KeyPair, UnparsedPublicKey};
use serde_json::Value;

use super::super::date::Stamp;
use super::super::{Desk, Payload, Rules, Signable, Signer, SigningError, v4a};
use super::{Trace, trace};
use crate::credentials::Credentials;

const VECTORS: usize = 38;

fn suite(version: &str) -> PathBuf {
    let suites = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/aws-signing-test-suite");
    let folder = suites.join(version);
    assert!(folder.is_dir(), "the folder with the published vectors is not at {}", folder.display());
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

/// A folder of a suite.
struct Case {
    folder: PathBuf,
    context: Value,
}

impl Case {
    fn open(folder: &Path) -> Self {
        let context = fs::read_to_string(folder.join("context.json")).unwrap();
        Self { folder: folder.to_owned(), context: serde_json::from_str(&context).unwrap() }
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.folder.join(file)).unwrap()
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.context.pointer(pointer).and_then(Value::as_str)
    }

    fn credentials(&self) -> Credentials {
        let text = |name: &str| self.text(&format!("/credentials/{name}"));
        let (access_key, secret) = (text("access_key_id").unwrap(), text("secret_access_key").unwrap());
        Credentials::new(access_key, secret, text("token")).unwrap()
    }

    /// A signer that does as the case has it.
    fn signer(&self, mut signer: Signer) -> Signer {
        let flag = |name: &str, default| self.context[name].as_bool().unwrap_or(default);
        signer.rules = Rules {
            resolves_path: flag("normalize", true),
            sends_hash: flag("sign_body", false),
            signs_token: !flag("omit_session_token", false),
        };
        assert_eq!(self.text("/timestamp"), Some("2015-08-30T12:36:00Z"));
        signer
    }

    /// Signs the case in the query; gives back the whole query, but for the signature, and the signature.
    fn presign(&self, signer: Signer) -> (String, String, String) {
        let signer = self.signer(signer);
        let vector = Vector::parse(&self.read("request.txt"));
        let expires = u32::try_from(self.context["expiration_in_seconds"].as_u64().unwrap()).unwrap();
        let mut desk = Desk::default();
        let stamp = Stamp::at(super::NOON).unwrap();
        let query =
            signer.presign_at(&mut desk, &self.credentials(), stamp, expires, vector.signable()).unwrap();
        let name = self.folder.display();
        let canonical = String::from_utf8(desk.canonical.request().to_vec()).unwrap();
        assert_eq!(canonical, self.read("query-canonical-request.txt"), "{name}");
        assert_eq!(desk.to_sign, self.read("query-string-to-sign.txt"), "{name}");
        let (head, signature) = query.rsplit_once("&X-Amz-Signature=").unwrap();
        (head.to_owned(), signature.to_owned(), desk.to_sign)
    }

    fn sign(&self, signer: Signer) -> Trace {
        let signer = self.signer(signer);
        let vector = Vector::parse(&self.read("request.txt"));
        let made = trace(&signer, &self.credentials(), super::NOON, vector.signable());
        let name = self.folder.display();
        assert_eq!(made.canonical, self.read("header-canonical-request.txt"), "{name}");
        assert_eq!(made.to_sign, self.read("header-string-to-sign.txt"), "{name}");
        made
    }
}

fn for_each(version: &str, check: impl Fn(&Case) -> Result<(), SigningError>) {
    let mut count = 0;
    for entry in fs::read_dir(suite(version)).unwrap() {
        let folder = entry.unwrap().path();
        if folder.join("header-signature.txt").is_file() {
            check(&Case::open(&folder)).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            count += 1;
        }
    }
    assert_eq!(count, VECTORS, "vectors with a header form");
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks_exact(2);
    pairs.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

#[test]
fn every_published_vector_is_signed_as_aws_signs_it() {
    for_each("v4", |case| {
        let made = case.sign(Signer::new(case.text("/region").unwrap(), case.text("/service").unwrap())?);
        let name = case.folder.display();
        assert_eq!(made.signature(), case.read("header-signature.txt"), "{name}");
        let whole = case.read("header-signed-request.txt");
        assert!(whole.contains(&format!("\nAuthorization:{}\n", made.authorization)), "{name}");
        Ok(())
    });
}

#[test]
fn every_published_vector_is_signed_in_its_query_as_aws_signs_it() {
    for_each("v4", |case| {
        let signer = Signer::new(case.text("/region").unwrap(), case.text("/service").unwrap())?;
        let (query, signature, _) = case.presign(signer);
        let name = case.folder.display();
        assert_eq!(signature, case.read("query-signature.txt"), "{name}");
        let line = format!("{query}&X-Amz-Signature={signature} HTTP/1.1\n");
        let whole = case.read("query-signed-request.txt");
        // The suite encodes what is in the query of the request; here it stays as it was.
        let own = query.split("X-Amz-").next().unwrap_or_default();
        let line = line.strip_prefix(own).unwrap_or_default();
        assert!(whole.contains(line), "{name}: {line}\n{whole}");
        Ok(())
    });
}

#[test]
fn every_published_vector_of_4a_is_signed_so_that_the_published_key_verifies_it() {
    for_each("v4a", |case| {
        let (regions, service) = (case.text("/region").unwrap(), case.text("/service").unwrap());
        let made = case.sign(Signer::multi_region(regions, service)?);
        let name = case.folder.display();
        let published: Value = serde_json::from_str(&case.read("public-key.json")).unwrap();
        let point = ["X", "Y"].map(|axis| bytes(published[axis].as_str().unwrap())).concat();
        let public = [&[4], point.as_slice()].concat();
        let pair = v4a::derive(&case.credentials())?;
        assert_eq!(pair.public_key().as_ref(), public, "{name}: the key is made as AWS makes it");
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &public);
        let verifies = |signature: &str| public.verify(made.to_sign.as_bytes(), &bytes(signature)).is_ok();
        assert!(verifies(made.signature()), "{name}: ours");
        assert!(verifies(&case.read("header-signature.txt")), "{name}: theirs, over our text");
        let whole = case.read("header-signed-request.txt");
        let (head, _) = made.authorization.split_once("Signature=").unwrap();
        assert!(whole.contains(&format!("\nAuthorization:{head}Signature=")), "{name}");
        assert!(whole.contains(&format!("\nX-Amz-Region-Set:{regions}\n")), "{name}");
        let (query, signature, to_sign) = case.presign(Signer::multi_region(regions, service)?);
        for signature in [signature, case.read("query-signature.txt")] {
            assert!(public.verify(to_sign.as_bytes(), &bytes(&signature)).is_ok(), "{name}: in the query");
        }
        let whole = case.read("query-signed-request.txt");
        let ours = query.split('&').filter(|parameter| parameter.starts_with("X-Amz-"));
        assert!(ours.into_iter().all(|parameter| whole.contains(parameter)), "{name}: {query}");
        Ok(())
    });
}

//! The shapes of requests that other gateways' signatures fail on: each one's canonical form, and its signature
//! against AWS's own crate.

use super::super::{Signer, is_signed, wire_query};
use super::oracle::Case;
use super::{ACCESS_KEY, SECRET_KEY, trace};
use crate::credentials::Credentials;

/// What a client sends, and the lines of the canonical request that it must become.
struct Shape {
    name: &'static str,
    path: &'static str,
    query: &'static str,
    header: Option<(&'static str, &'static str)>,
    canonical_path: &'static str,
    canonical_query: &'static str,
    /// The line of the header where it belongs to the minimal set.
    canonical_header: Option<&'static str>,
}

const fn path(name: &'static str, path: &'static str, canonical_path: &'static str) -> Shape {
    Shape { name, path, query: "", header: None, canonical_path, canonical_query: "", canonical_header: None }
}

const fn query(name: &'static str, query: &'static str, canonical_query: &'static str) -> Shape {
    Shape { query, canonical_query, ..path(name, "/x", "/x") }
}

const fn header(
    name: &'static str,
    header: (&'static str, &'static str),
    canonical_header: Option<&'static str>,
) -> Shape {
    Shape { header: Some(header), canonical_header, ..path(name, "/x", "/x") }
}

const SHAPES: [Shape; 29] = [
    path("plain", "/default/test-apisix", "/default/test-apisix"),
    query("sorted query", "b=2&a=1&a=0&B=3", "B=3&a=0&a=1&b=2"),
    query("encoded query", "k%20y=a%26b%3Dc&u=%7Ex", "k%20y=a%26b%3Dc&u=~x"),
    query("plus in the query", "q=a+b&r=%2B", "q=a%20b&r=%2B"),
    query("utf-8 in the query", "n=é&m=%C3%A9", "m=%C3%A9&n=%C3%A9"),
    path("doubled slash", "/a//b", "/a/b"),
    path("dot segment", "/a/./b", "/a/b"),
    path("double-dot segment", "/a/../b", "/b"),
    path("unreserved characters", "/A-z_0.9~", "/A-z_0.9~"),
    header("empty header", ("x-amz-meta-empty", ""), Some("x-amz-meta-empty:")),
    header("te", ("TE", "trailers"), None),
    header("expect", ("Expect", "100-continue"), None),
    header("trace id", ("X-Amzn-Trace-Id", "Root=1-5759e988-bd862e3fe1be46a994272793"), None),
    header("forwarded for", ("X-Forwarded-For", "192.0.2.1"), None),
    header("client's security token", ("X-Amz-Security-Token", "slipped-in"), None),
    header("underscore header", ("x_my_header", "1"), None),
    path("trailing slash", "/a/b/", "/a/b/"),
    path("at sign", "/user@example.com", "/user%40example.com"),
    path(
        "colons: invoke by arn",
        "/2015-03-31/functions/arn:aws:lambda:us-east-1:123456789012:function:f/invocations",
        "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af/invocations",
    ),
    path("equals sign", "/a%3Db=c", "/a%253Db%3Dc"),
    path("plus in the path", "/a+b", "/a%2Bb"),
    path("comma, semicolon, dollar", "/a,b;c$d", "/a%2Cb%3Bc%24d"),
    path("parentheses", "/f(x)!*'", "/f%28x%29%21%2A%27"),
    path("utf-8 in the path", "/café/%C3%A9", "/caf%C3%A9/%25C3%25A9"),
    path("percent sign", "/100%25/a%2Fb", "/100%2525/a%252Fb"),
    header("double space", ("x-amz-meta-a", "a  b   c "), Some("x-amz-meta-a:a b c")),
    header("tab", ("content-type", "text/plain;\t \tcharset=x"), Some("content-type:text/plain; charset=x")),
    header("double space in the user agent", ("User-Agent", "a  b"), None),
    path("escaped space", "/a%20b", "/a%2520b"),
];

impl Shape {
    fn case(&self) -> Case {
        let mut case = Case::get(self.path);
        if !self.query.is_empty() {
            case.query = Some(wire_query(self.query).into_owned());
        }
        if let Some((name, value)) = self.header.filter(|(name, _)| is_signed(name)) {
            case.headers.push((name.to_owned(), value.to_owned()));
        }
        case
    }
}

fn canonical(case: &Case) -> String {
    let credentials = Credentials::new(ACCESS_KEY, SECRET_KEY, None).unwrap();
    let signer = Signer::new("us-east-1", case.service).unwrap();
    trace(&signer, &credentials, case.unix_seconds, case.signable()).canonical
}

#[test]
fn every_shape_has_the_canonical_form_that_aws_gives_it() {
    for shape in SHAPES {
        let canonical = canonical(&shape.case());
        let lines: Vec<&str> = canonical.lines().collect();
        assert_eq!(lines[1], shape.canonical_path, "{}", shape.name);
        assert_eq!(lines[2], shape.canonical_query, "{}", shape.name);
        let given = lines[3..].iter().take_while(|line| !line.is_empty());
        let given: Vec<&str> = given
            .copied()
            .filter(|line| !line.starts_with("host:") && !line.starts_with("x-amz-date:"))
            .filter(|line| !line.starts_with("x-amz-content-sha256:"))
            .collect();
        assert_eq!(given, Vec::from_iter(shape.canonical_header), "{}", shape.name);
    }
}

#[test]
fn every_shape_is_signed_as_by_the_crate_of_aws() {
    // The crate takes tabs for text; what AWS's servers and botocore do with them is in the table above.
    for shape in SHAPES.iter().filter(|shape| shape.name != "tab") {
        let case = shape.case();
        assert_eq!(case.ours(), case.theirs(), "{}", shape.name);
    }
}

#[test]
fn a_repeated_header_is_joined_in_the_order_it_is_sent() {
    let mut case = Case::get("/x");
    for (name, value) in [("X-Amz-Meta-A", "z"), ("x-amz-meta-b", "b"), ("x-amz-meta-a", " a  a ")] {
        case.headers.push((name.to_owned(), value.to_owned()));
    }
    assert!(canonical(&case).contains("\nx-amz-meta-a:z,a a\nx-amz-meta-b:b\n"));
    assert_eq!(case.ours(), case.theirs());
}

//! A bounded run of the target `admin_json` in `fuzz/`, with the same inputs each time; `ROUNDS` makes it longer.

#[cfg(test)]
mod admin_json;
#[cfg(test)]
#[path = "../../../http/tests/targets/mutate.rs"]
mod mutate;

/// What JSON, and what bodies of the Admin API, are made of.
#[cfg(test)]
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    " ",
    "\n",
    "\"",
    "\\u00e9",
    "null",
    "true",
    "-1",
    "1e9",
    "0.5",
    "\"a\"",
    "\"id\":",
    "\"1\"",
    "\"uri\": \"/a\",",
    "\"uris\": [\"/b/*\"],",
    "\"plugins\": {",
    "\"upstream\": {",
    "\"upstream_id\": \"1\",",
    "\"nodes\": {\"127.0.0.1:80\": 1},",
    "\"nodes\": [{\"host\": \"h\", \"port\": 1, \"weight\": 0}],",
    "\"type\": \"roundrobin\"",
    "\"vars\": [[\"arg_a\", \"==\", \"b\"]],",
    "\"timeout\": {\"connect\": 1},",
    "{\"uri\": \"/a\", \"upstream\": {\"nodes\": {\"h:80\": 1}}}",
    "{\"username\": \"a\"}",
    "{\"nodes\": {\"h:80\": 1,},}",
];

#[test]
fn a_body_is_read_alike_or_refused() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(60_000);
    let mut mutations = mutate::Mutations::new(0x9E37_79B9_7F4A_7C15);
    for _ in 0..rounds {
        admin_json::check(&mutations.input(PIECES, 8));
    }
}

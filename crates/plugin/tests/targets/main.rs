//! A bounded run of the target `condition` in `fuzz/`, with the same inputs each time; `ROUNDS` makes it longer.

#[cfg(test)]
mod condition;
#[cfg(test)]
#[path = "../../../http/tests/targets/mutate.rs"]
mod mutate;

#[cfg(test)]
const TARGETS: &[&str] = &["", "a?b=1", "a?b=&b=c", "?", "a/b?A=%20", "x y"];

/// Operands and operators, as conditions are made of them.
#[cfg(test)]
const PIECES: &[&str] = &[
    "[\"arg_b\",\"==\",\"1\"]",
    "[\"arg_b\",\"~=\",\"c\"]",
    "[\"uri\",\"~~\",\"^/a\"]",
    "[\"http_a\",\">\",0]",
    "[\"cookie_a\",\"<=\",\"1\"]",
    "[\"arg_b\",\"in\",[\"1\",\"c\"]]",
    "[\"host\",\"!\",\"==\",\"b\"]",
    "[\"remote_addr\",\"ipmatch\",[\"127.0.0.0/8\"]]",
    "[\"arg_x\",\"has\",\"y\"]",
    "[\"uri\",\"~*\",\"(\"]",
    "\"OR\"",
    "\"AND\"",
    "\"!OR\"",
    "\"!AND\"",
    "[]",
    "null",
    "1",
    "\"a\"",
];

#[test]
fn a_condition_decides_or_is_refused() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(30_000);
    let mut mutations = mutate::Mutations::new(0x9E37_79B9_7F4A_7C15);
    let mut taken = 0_u32;
    for _ in 0..rounds {
        let target = TARGETS[mutations.below(TARGETS.len())];
        let items: Vec<_> = (0..=mutations.below(4)).map(|_| PIECES[mutations.below(PIECES.len())]).collect();
        let mut text = format!("{target}\n[{}]", items.join(","));
        if mutations.below(3) == 0
            && let Ok(broken) = String::from_utf8(mutations.input(&[&text], 0))
        {
            text = broken;
        }
        taken += u32::from(condition::check(&text));
    }
    assert!(taken > rounds / 20, "a run that meets few conditions says little: {taken} of {rounds}");
}

//! What is asked, and what a map says to it.

use std::collections::BTreeMap;

use lockgate_tests::Gateway;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// The kinds that are changed; each may refer to those before it.
const KINDS: [&str; 4] = ["upstreams", "services", "routes", "consumers"];
/// The ids of each kind.
const IDS: u8 = 3;

/// One call.
#[derive(Clone, Debug)]
pub(crate) enum Call {
    Put {
        kind: usize,
        id: u8,
        to: Option<(usize, u8)>,
        number: u8,
    },
    Patch {
        kind: usize,
        id: u8,
        to: Option<(usize, u8)>,
        number: u8,
    },
    Delete {
        kind: usize,
        id: u8,
    },
    Get {
        kind: usize,
        id: u8,
    },
    /// `kill -9`, and a start with the same data.
    Restart,
}

/// Calls as they may come, restarts among them.
pub(crate) fn calls(most: usize) -> impl Strategy<Value = Vec<Call>> {
    let name = || (0..KINDS.len(), 0..IDS);
    let to = || prop::option::of((0..2_usize, 0..IDS));
    let one = prop_oneof![
        8 => (name(), to(), any::<u8>())
            .prop_map(|((kind, id), to, number)| Call::Put { kind, id, to, number }),
        3 => (0..3_usize, 0..IDS, to(), any::<u8>())
            .prop_map(|(kind, id, to, number)| Call::Patch { kind, id, to, number }),
        4 => name().prop_map(|(kind, id)| Call::Delete { kind, id }),
        2 => name().prop_map(|(kind, id)| Call::Get { kind, id }),
        1 => Just(Call::Restart),
    ];
    prop::collection::vec(one, 1..most)
}

/// Everything there is, by kind and id.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State(BTreeMap<(usize, u8), Value>);

impl State {
    /// Makes a call, and says with which status it is answered.
    pub(crate) fn call(&mut self, call: &Call) -> u16 {
        match *call {
            Call::Restart => 200,
            Call::Get { kind, id } => {
                if self.0.contains_key(&(kind, id)) {
                    200
                } else {
                    404
                }
            }
            Call::Put { kind, id, to, number } => {
                let value = written(kind, id, to, number);
                if !self.leads_somewhere(&value) {
                    return 400;
                }
                if self.0.insert((kind, id), value).is_some() { 200 } else { 201 }
            }
            Call::Patch { kind, id, to, number } => {
                let Some(mut value) = self.0.get(&(kind, id)).cloned() else { return 404 };
                let fields = value.as_object_mut().expect("it was written as one");
                fields.extend(patch(kind, to, number));
                if !self.leads_somewhere(&value) {
                    return 400;
                }
                self.0.insert((kind, id), value);
                200
            }
            Call::Delete { kind, id } => {
                let field = format!("{}_id", KINDS[kind].trim_end_matches('s'));
                if self.0.values().any(|value| value.get(&field) == Some(&json!(name(kind, id)))) {
                    return 400;
                }
                if self.0.remove(&(kind, id)).is_some() { 200 } else { 404 }
            }
        }
    }

    fn leads_somewhere(&self, value: &Value) -> bool {
        (0..2).all(|kind| {
            let to = value.get(format!("{}_id", KINDS[kind].trim_end_matches('s')));
            to.is_none_or(|to| {
                (0..IDS).any(|id| *to == json!(name(kind, id)) && self.0.contains_key(&(kind, id)))
            })
        })
    }

    /// As `apisix.yaml` has it.
    pub(crate) fn file(&self) -> String {
        let mut document = Map::new();
        for ((kind, _), value) in &self.0 {
            let list = document.entry(KINDS[*kind]).or_insert_with(|| json!([]));
            list.as_array_mut().expect("it was made as one").push(value.clone());
        }
        format!("{}\n#END\n", Value::Object(document))
    }

    /// What a gateway shows, as the model would have it.
    pub(crate) fn of(gateway: &Gateway) -> Self {
        let mut state = BTreeMap::new();
        for (kind, list) in KINDS.iter().enumerate() {
            let (status, answer) = gateway.admin("GET", &format!("/{list}"), Value::Null);
            assert_eq!(status, 200, "{answer}");
            for record in answer["list"].as_array().expect("lists are lists") {
                let mut value = record["value"].clone();
                let fields = value.as_object_mut().expect("resources are objects");
                fields.retain(|name, _| name != "create_time" && name != "update_time");
                let key = record["key"].as_str().expect("keys are texts");
                let id = key.as_bytes()[key.len() - 1] - b'0';
                state.insert((kind, id), value);
            }
        }
        Self(state)
    }
}

/// Makes a call of a gateway that runs.
pub(crate) fn ask(gateway: &mut Gateway, call: &Call) -> u16 {
    let path = |kind: usize, id: u8| format!("/{}/{}", KINDS[kind], name(kind, id));
    match *call {
        Call::Restart => {
            gateway.crash_and_restart();
            200
        }
        Call::Get { kind, id } => gateway.admin("GET", &path(kind, id), Value::Null).0,
        Call::Put { kind, id, to, number } => {
            gateway.admin("PUT", &path(kind, id), written(kind, id, to, number)).0
        }
        Call::Patch { kind, id, to, number } => {
            gateway.admin("PATCH", &path(kind, id), Value::Object(patch(kind, to, number).collect())).0
        }
        Call::Delete { kind, id } => gateway.admin("DELETE", &path(kind, id), Value::Null).0,
    }
}

fn name(kind: usize, id: u8) -> String {
    format!("{}{id}", &KINDS[kind][..1])
}

/// What a resource is: it says who it is, refers to another where its kind can, and has a number.
fn written(kind: usize, id: u8, to: Option<(usize, u8)>, number: u8) -> Value {
    let mut value = match KINDS[kind] {
        "upstreams" => json!({"type": "roundrobin", "nodes": {"127.0.0.1:1": 1}}),
        "routes" => json!({"uri": format!("/{number}"), "plugins": {}}),
        "consumers" => json!({"username": name(kind, id)}),
        _ => json!({}),
    };
    if KINDS[kind] != "consumers" {
        value["id"] = json!(name(kind, id));
    }
    value.as_object_mut().expect("it was made as one").extend(patch(kind, to, number));
    value
}

fn patch(kind: usize, to: Option<(usize, u8)>, number: u8) -> impl Iterator<Item = (String, Value)> {
    let reference = to.filter(|(to, _)| *to < kind && KINDS[kind] != "consumers");
    let reference =
        reference.map(|(to, id)| (format!("{}_id", KINDS[to].trim_end_matches('s')), json!(name(to, id))));
    [("desc".to_owned(), json!(format!("number {number}")))].into_iter().chain(reference)
}

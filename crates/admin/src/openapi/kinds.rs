//! The calls for each kind of resource.

use lockgate_resource::Kind;
use serde_json::{Map, Value, json};

use super::operation::{Operation, in_path, reference};
use super::type_name;
use crate::target;

/// The calls of one kind, and what they have in common.
struct Calls<'a> {
    kind: Kind,
    name: String,
    words: &'a str,
    /// Where all of them are.
    many: String,
    /// Where one of them is.
    one: String,
    /// The parameters of these paths.
    of_many: Vec<Value>,
    of_one: Vec<Value>,
}

/// Writes the calls of a kind into the paths of the document.
pub(super) fn describe(kind: Kind, paths: &mut Map<String, Value>) {
    let id = json!({"$ref": "#/components/parameters/id"});
    let path = format!("/{}", kind.plural());
    let consumer = in_path("username", "The consumer.", &reference("Username"));
    let managers = json!({"enum": ["vault", "aws", "gcp"]});
    let manager = in_path("manager", "Where secrets are kept.", &managers);
    let (many, own, of_many, own_parameter) = match kind {
        Kind::Consumer => (path, "{username}", vec![], consumer),
        Kind::Credential => ("/consumers/{username}/credentials".to_owned(), "{id}", vec![consumer], id),
        Kind::Secret => (format!("{path}/{{manager}}"), "{id}", vec![manager], id),
        Kind::PluginMetadata => {
            (path, "{plugin}", vec![], in_path("plugin", "The plugin's name.", &json!({"type": "string"})))
        }
        _ => (path, "{id}", vec![], id),
    };
    let calls = Calls {
        kind,
        name: type_name(kind),
        words: kind.words(),
        one: format!("{many}/{own}"),
        of_one: of_many.iter().cloned().chain([own_parameter]).collect(),
        many,
        of_many,
    };
    if kind == Kind::StreamRoute {
        return calls.describe_streams(paths);
    }
    calls.describe_many(paths);
    calls.describe_one(paths);
}

impl Calls<'_> {
    fn operation(&self, verb: &str, summary: String, parameters: &[Value]) -> Operation {
        let id = format!("{verb}{}", self.name);
        let operation = Operation::new(id, self.kind.plural(), summary);
        parameters.iter().fold(operation, Operation::takes_own)
    }

    fn has(&self, method: &str) -> bool {
        target::supported(self.kind).any(|known| known == method)
    }

    fn list(&self, verb: &str, parameters: &[Value]) -> Operation {
        let words = self.words;
        self.operation(verb, format!("Lists what there is of {words}."), parameters)
            .takes(&["page", "page_size", "name", "uri", "label", "filter"])
            .answers("200", "Those that fit.", &reference(&format!("{}List", self.name)))
            .refuses("404")
            .refuses("503")
    }

    fn describe_many(&self, paths: &mut Map<String, Value>) {
        let words = self.words;
        self.list("list", &self.of_many).at(paths, "get", &self.many);
        if self.kind == Kind::Secret {
            self.list("listEvery", &[]).at(paths, "get", "/secrets");
            return;
        }
        if self.kind != Kind::PluginMetadata {
            let summary = format!("Creates or replaces the {words} whose id stands in the body.");
            self.write(self.operation("putOwn", summary, &self.of_many)).at(paths, "put", &self.many);
        }
        if self.has("POST") {
            let summary = format!("Creates a {words} with an id that is made here.");
            self.operation("post", summary, &self.of_many)
                .takes(&["ttl"])
                .reads(&reference(&self.name))
                .answers_tagged("201", "It was created.", &self.written())
                .changes()
                .at(paths, "post", &self.many);
        }
    }

    fn describe_one(&self, paths: &mut Map<String, Value>) {
        let words = self.words;
        self.operation("get", format!("Reads one {words}."), &self.of_one)
            .answers_tagged("200", "This is it.", &reference(&format!("{}Entry", self.name)))
            .refuses("404")
            .refuses("503")
            .at(paths, "get", &self.one);
        let summary = format!("Creates or replaces one {words}.");
        self.write(self.operation("put", summary, &self.of_one)).at(paths, "put", &self.one);
        if self.has("PATCH") {
            let below = in_path("path", "The way to it: names with / between.", &json!({"type": "string"}));
            let deeper: Vec<_> = self.of_one.iter().cloned().chain([below]).collect();
            let merge = format!("Merges a patch into one {words} (RFC 7386): null removes.");
            self.patch("patch", merge, &self.of_one, &json!({"type": "object"}))
                .at(paths, "patch", &self.one);
            let replace = format!("Replaces what lies under a path in one {words}: null removes it.");
            let path = format!("{}/{{path}}", self.one);
            self.patch("patchPartOf", replace, &deeper, &json!({})).at(paths, "patch", &path);
        }
        self.operation("delete", format!("Deletes one {words}."), &self.of_one)
            .takes(&["force", "if_match"])
            .answers("200", "It is gone.", &reference("Deleted"))
            .refuses("404")
            .refuses("412")
            .changes()
            .at(paths, "delete", &self.one);
    }

    fn write(&self, operation: Operation) -> Operation {
        let operation = operation
            .takes(&["ttl", "if_match"])
            .reads(&reference(&self.name))
            .answers_tagged("200", "It was replaced.", &self.written())
            .answers_tagged("201", "It was created.", &self.written())
            .refuses("412")
            .changes();
        match self.kind {
            Kind::Credential => operation.refuses("404"),
            _ => operation,
        }
    }

    fn patch(&self, verb: &str, summary: String, parameters: &[Value], body: &Value) -> Operation {
        self.operation(verb, summary, parameters)
            .takes(&["ttl", "if_match"])
            .reads(body)
            .answers_tagged("200", "It was changed.", &self.written())
            .refuses("404")
            .refuses("412")
            .changes()
    }

    fn written(&self) -> Value {
        reference(&format!("{}Written", self.name))
    }

    /// TCP and UDP are not proxied yet.
    fn describe_streams(&self, paths: &mut Map<String, Value>) {
        let each = [
            ("list", "get", &self.many, &self.of_many),
            ("post", "post", &self.many, &self.of_many),
            ("get", "get", &self.one, &self.of_one),
            ("put", "put", &self.one, &self.of_one),
            ("delete", "delete", &self.one, &self.of_one),
        ];
        for (verb, method, path, parameters) in each {
            let operation =
                self.operation(verb, "TCP and UDP are not proxied yet: always 400.".to_owned(), parameters);
            let operation = operation.refuses("503");
            operation.at(paths, method, path);
        }
    }
}

//! One call of the document: what it takes and what it answers.

use serde_json::{Map, Value, json};

/// A call that is being described.
pub(super) struct Operation(Map<String, Value>);

impl Operation {
    /// A call that may be refused as every call may be.
    pub(super) fn new(id: String, tag: &str, summary: String) -> Self {
        let mut fields = Map::new();
        fields.insert("operationId".to_owned(), Value::from(id));
        fields.insert("tags".to_owned(), json!([tag]));
        fields.insert("summary".to_owned(), Value::from(summary));
        fields.insert("responses".to_owned(), json!({}));
        Self(fields).refuses("400").refuses("401").refuses("403")
    }

    /// It takes these parameters of the document.
    pub(super) fn takes(self, names: &[&str]) -> Self {
        names.iter().fold(self, |operation, name| {
            operation.takes_own(&json!({"$ref": format!("#/components/parameters/{name}")}))
        })
    }

    /// It takes a parameter of its own.
    pub(super) fn takes_own(mut self, parameter: &Value) -> Self {
        let all = self.0.entry("parameters").or_insert_with(|| json!([]));
        all.as_array_mut().into_iter().for_each(|all| all.push(parameter.clone()));
        self
    }

    /// It reads a body of this schema.
    pub(super) fn reads(mut self, schema: &Value) -> Self {
        let content = json!({"application/json": {"schema": schema}});
        self.0.insert("requestBody".to_owned(), json!({"required": true, "content": content}));
        self.refuses("408").refuses("413")
    }

    /// It answers with this status and a body of this schema.
    pub(super) fn answers(self, status: &str, description: &str, schema: &Value) -> Self {
        let content = json!({"application/json": {"schema": schema}});
        self.put(status, json!({"description": description, "content": content}))
    }

    /// It answers so, and tells the revision of the resource.
    pub(super) fn answers_tagged(self, status: &str, description: &str, schema: &Value) -> Self {
        let tag = json!({"description": "Its revision, for If-Match.", "schema": {"type": "string"}});
        let mut operation = self.answers(status, description, schema);
        operation.0["responses"][status]["headers"] = json!({"ETag": tag});
        operation
    }

    /// It answers with this status and nothing to read.
    pub(super) fn answers_bare(self, status: &str, description: &str) -> Self {
        self.put(status, json!({"description": description}))
    }

    /// It may be refused with this status.
    pub(super) fn refuses(self, status: &str) -> Self {
        self.put(status, json!({"$ref": format!("#/components/responses/{status}")}))
    }

    /// It changes something, which others may be about to change, in a store that may be away.
    pub(super) fn changes(self) -> Self {
        self.refuses("405").refuses("409").refuses("503")
    }

    fn put(mut self, status: &str, response: Value) -> Self {
        if let Some(responses) = self.0["responses"].as_object_mut() {
            responses.insert(status.to_owned(), response);
            responses.sort_keys();
        }
        self
    }

    /// Writes it into the paths of the document.
    pub(super) fn at(self, paths: &mut Map<String, Value>, method: &str, path: &str) {
        let calls = paths.entry(path).or_insert_with(|| json!({}));
        if let Some(calls) = calls.as_object_mut() {
            calls.insert(method.to_owned(), Value::Object(self.0));
        }
    }
}

/// Why any call may be refused, by status.
pub(super) fn refusals() -> Value {
    let each = [
        ("400", "Something about the call is wrong."),
        ("401", "The key is missing, is wrong, or may not do this."),
        ("403", "Calls from this address, or under this name, are not allowed."),
        ("404", "What is named there is not."),
        ("405", "Resources are read from elsewhere (stand-alone mode): nothing is changed here."),
        ("408", "The body did not arrive in time."),
        ("409", "Somebody else changed it, or what it refers to, at the same time."),
        ("412", "If-Match does not hold: the resource was changed."),
        ("413", "The body is larger than is allowed."),
        ("503", "The store cannot be used now, or takes no changes."),
    ];
    let content = json!({"application/json": {"schema": reference("Error")}});
    let response = |description: &str| json!({"description": description, "content": content});
    each.into_iter().map(|(status, description)| (status.to_owned(), response(description))).collect()
}

/// A schema of the document.
pub(super) fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// A parameter in the path.
pub(super) fn in_path(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "path", "required": true, "description": description, "schema": schema})
}

/// A parameter in the query.
pub(super) fn in_query(name: &str, description: &str, schema: &Value) -> Value {
    json!({"name": name, "in": "query", "description": description, "schema": schema})
}

/// The parameters that several calls take, by name.
pub(super) fn parameters() -> Value {
    let text = json!({"type": "string"});
    let id = json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[a-zA-Z0-9_.-]+$"});
    let seconds = json!({"type": "number", "minimum": 0, "maximum": 9_000_000_000_u64});
    let tag = json!({
        "name": "If-Match",
        "in": "header",
        "description": "The ETag of what the caller has seen: it is changed only if it still is that.",
        "schema": text,
    });
    let by = |what: &str| format!("Only those whose {what}.");
    let size = json!({"type": "integer", "minimum": 10, "maximum": 500});
    json!({
        "id": in_path("id", "Its id.", &id),
        "page": in_query("page", "Which page, together with page_size.", &json!({"type": "integer", "minimum": 1})),
        "page_size": in_query("page_size", "How many are on a page; without it there is one page.", &size),
        "name": in_query("name", &by("name this regular expression finds"), &text),
        "uri": in_query("uri", &by("uri, or one of uris, this regular expression finds"), &text),
        "label": in_query("label", &by("labels have this name"), &text),
        "filter": in_query("filter", &by("service_id and upstream_id are these, such as service_id=1"), &text),
        "ttl": in_query("ttl", "How many seconds it is to live; 0, or nothing, is until it is deleted.", &seconds),
        "force": in_query("force", "Whether it is deleted also where something refers to it.", &json!({"type": "boolean"})),
        "subsystem": in_query("subsystem", "For what plugins are.", &json!({"enum": ["http", "stream"]})),
        "if_match": tag,
    })
}

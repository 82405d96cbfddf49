//! The calls beside resources: plugins, schemas, checks, and how this node does.

use lockgate_resource::Kind;
use serde_json::{Map, Value, json};

use super::operation::{Operation, in_path, in_query, reference};

/// What these calls are about.
pub(super) const TAGS: [&str; 4] = ["plugins", "schemas", "configs", "status"];

/// Writes the calls into the paths of the document.
pub(super) fn describe(paths: &mut Map<String, Value>) {
    describe_plugins(paths);
    describe_schemas(paths);
    describe_configs(paths);
    let call = |id: &str, summary: &str| Operation::new(id.to_owned(), "status", summary.to_owned());
    call("getStatus", "Says what is live on this node, and what could not be made live.")
        .answers("200", "How it does.", &reference("Status"))
        .at(paths, "get", "/status");
    call("getOpenapi", "Gives this document.")
        .answers("200", "An OpenAPI document.", &json!({"type": "object"}))
        .at(paths, "get", "/openapi.json");
}

fn describe_plugins(paths: &mut Map<String, Value>) {
    let call = |id: &str, summary: &str| Operation::new(id.to_owned(), "plugins", summary.to_owned());
    let schema = json!({"type": "object"});
    let name = in_path("name", "The plugin's name.", &json!({"type": "string"}));
    let metadata = "With metadata the schema of the plugin's metadata.";
    let of = in_query("schema_type", metadata, &json!({"enum": ["metadata", "consumer"]}));
    call("listPlugins", "Names the plugins, those that run first at the front.")
        .takes(&["subsystem"])
        .answers("200", "Their names.", &json!({"type": "array", "items": {"type": "string"}}))
        .at(paths, "get", "/plugins/list");
    let all = json!({"name": "all", "in": "query", "required": true, "schema": {"const": "true"}});
    call("getPlugins", "Gives every plugin with its priority and its schema.")
        .takes_own(&all)
        .takes(&["subsystem"])
        .answers("200", "By name.", &json!({"type": "object", "additionalProperties": {"type": "object"}}))
        .refuses("404")
        .at(paths, "get", "/plugins");
    for (id, path) in [("getPlugin", "/plugins/{name}"), ("getPluginSchema", "/schema/plugins/{name}")] {
        call(id, "Gives the JSON Schema of a plugin.")
            .takes_own(&name)
            .takes_own(&of)
            .takes(&["subsystem"])
            .answers("200", "A JSON Schema.", &schema)
            .refuses("404")
            .at(paths, "get", path);
    }
    call("reloadPlugins", "Does nothing: plugins are part of the program.").answers_bare("200", "Done.").at(
        paths,
        "put",
        "/plugins/reload",
    );
}

fn describe_schemas(paths: &mut Map<String, Value>) {
    let call = |id: &str, summary: &str| Operation::new(id.to_owned(), "schemas", summary.to_owned());
    let plurals = json!({"enum": Kind::ALL.map(Kind::plural)});
    let kind = in_path("kind", "The kind.", &plurals);
    call("getSchema", "Gives the JSON Schema of a kind of resource.")
        .takes_own(&kind)
        .answers("200", "A JSON Schema (draft 7).", &json!({"type": "object"}))
        .at(paths, "get", "/schema/{kind}");
    call("validateResource", "Checks a resource by itself, with its plugins, and keeps nothing.")
        .takes_own(&kind)
        .reads(&json!({"type": "object"}))
        .answers_bare("200", "It is well formed.")
        .refuses("404")
        .at(paths, "post", "/schema/validate/{kind}");
}

fn describe_configs(paths: &mut Map<String, Value>) {
    let call = |id: &str, summary: &str| Operation::new(id.to_owned(), "configs", summary.to_owned());
    let whole = reference("Configuration");
    let absent = "The configuration is not held in memory alone (API-driven stand-alone mode).";
    call("validateConfigs", "Checks many resources, each by itself, and keeps nothing.")
        .reads(&whole)
        .answers("200", "They are well formed.", &json!({"type": "object"}))
        .at(paths, "post", "/configs/validate");
    call("getConfigs", "Gives the whole configuration, in stand-alone mode.")
        .answers("200", "It, with a version for each list.", &whole)
        .refuses("404")
        .at(paths, "get", "/configs");
    call("headConfigs", "Says which configuration there is, in stand-alone mode.")
        .answers_bare("200", "X-Digest and X-Last-Modified say it.")
        .answers_bare("404", absent)
        .at(paths, "head", "/configs");
    let digest = json!({
        "name": "X-Digest",
        "in": "header",
        "required": true,
        "description": "What this configuration is called. That of the one there is changes nothing.",
        "schema": {"type": "string"},
    });
    call("putConfigs", "Replaces the whole configuration, in stand-alone mode.")
        .takes_own(&digest)
        .reads(&whole)
        .answers_bare("202", "It was taken in.")
        .answers_bare("204", "It is the one there is.")
        .refuses("404")
        .at(paths, "put", "/configs");
}
